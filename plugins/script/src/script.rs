//! One script inside one QuickJS: loaded once, asked many times. Knows JSON text and places in the file, and none of the contract's types.

use std::fmt;

use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Exception, Function, Module, Object, Persistent,
    Promise, Runtime, Value, function::Args,
};

use crate::interfaces::{self, Interface, PLUGIN, SERVED, camel};

/// The engine's own stack. Less than the guest's, so that a recursion is an error with a position and not a trap.
const STACK_BYTES: usize = 192 << 10;
const PRELUDE: &str = include_str!("prelude.js");

/// Where the lines of `console` go: a level of the contract, and the line.
pub type Log = fn(level: &str, line: &str);

/// A script that was read and may be asked.
pub struct Script {
    file: String,
    functions: Vec<(&'static str, &'static str, Persistent<Function<'static>>)>,
    served: Vec<&'static str>,
    set_now: Persistent<Function<'static>>,
    // Last: everything before lives in it.
    context: Context,
}

/// What was thrown, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown {
    /// `file:line:column: TypeError: …`, or without a place when the script threw something that has none.
    pub message: String,
    /// All places, innermost first.
    pub stack: Option<String>,
    /// A thrown value that is no error, as JSON.
    pub value: Option<String>,
}

impl Thrown {
    fn plain(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            stack: None,
            value: None,
        }
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Script {
    /// Reads a script and runs its top level.
    ///
    /// # Errors
    /// Every mistake that was found, each with its place in the file.
    pub fn load(file: &str, text: &str, log: Log) -> Result<Self, Vec<String>> {
        let engine =
            |error: rquickjs::Error| vec![format!("{file}:1:1: the engine failed: {error}")];
        let runtime = Runtime::new().map_err(engine)?;
        runtime.set_max_stack_size(STACK_BYTES);
        let context = Context::full(&runtime).map_err(engine)?;
        let (set_now, functions) = context.with(|ctx| {
            let set_now = prelude(&ctx, log)
                .catch(&ctx)
                .map_err(|error| vec![told(&ctx, file, error).message])?;
            let exported = exports(&ctx, file, text)
                .catch(&ctx)
                .map_err(|error| vec![told(&ctx, file, error).message])?;
            let functions = functions(&ctx, file, text, &exported)?;
            Ok::<_, Vec<String>>((Persistent::save(&ctx, set_now), functions))
        })?;
        let served = SERVED
            .iter()
            .map(|interface| interface.name)
            .filter(|name| functions.iter().any(|(served, ..)| served == name))
            .collect();
        Ok(Self {
            file: file.to_owned(),
            functions,
            served,
            set_now,
            context,
        })
    }

    /// Names of the interfaces that the script serves, as the contract spells them; `plugin` is understood.
    #[must_use]
    pub fn served(&self) -> &[&'static str] {
        &self.served
    }

    /// Asks a function with arguments in JSON; None is `undefined`. The answer is JSON, and None when it is `undefined` or when the script
    /// does not have this function.
    ///
    /// # Errors
    /// What the script threw.
    pub fn ask(
        &self,
        interface: &str,
        function: &str,
        now: Option<&str>,
        arguments: &[Option<String>],
    ) -> Result<Option<String>, Thrown> {
        let Some(asked) = self.function(interface, function) else {
            return Ok(None);
        };
        self.context.with(|ctx| {
            self.ask_in(&ctx, asked, now, arguments)
                .catch(&ctx)
                .map_err(|error| told(&ctx, &self.file, error))
        })
    }

    /// Where a function stands, `file:line:column`.
    #[must_use]
    pub fn place(&self, interface: &str, function: &str) -> String {
        let place = self.function(interface, function).and_then(|asked| {
            self.context.with(|ctx| {
                let asked = asked.clone().restore(&ctx).ok()?;
                let line: u32 = asked.get("lineNumber").ok()?;
                let column: u32 = asked.get("columnNumber").ok()?;
                Some(format!("{}:{line}:{column}", self.file))
            })
        });
        place.unwrap_or_else(|| self.file.clone())
    }

    fn function(&self, interface: &str, function: &str) -> Option<&Persistent<Function<'static>>> {
        let mut functions = self.functions.iter();
        functions
            .find(|(of, name, _)| *of == interface && *name == function)
            .map(|(.., asked)| asked)
    }

    fn ask_in(
        &self,
        ctx: &Ctx<'_>,
        asked: &Persistent<Function<'static>>,
        now: Option<&str>,
        arguments: &[Option<String>],
    ) -> rquickjs::Result<Option<String>> {
        let set_now = self.set_now.clone().restore(ctx)?;
        set_now.call::<_, ()>((now,))?;
        let mut given = Args::new(ctx.clone(), arguments.len());
        for argument in arguments {
            match argument {
                Some(json) => given.push_arg(ctx.json_parse(json.as_str())?)?,
                None => given.push_arg(Value::new_undefined(ctx.clone()))?,
            }
        }
        let mut answer: Value<'_> = asked.clone().restore(ctx)?.call_arg(given)?;
        // Nothing can be waited for here, so an async function has its answer at once.
        if let Some(promise) = answer.as_promise() {
            answer = finished(promise)?;
        }
        let json = ctx.json_stringify(answer)?;
        json.map(|json| json.to_string()).transpose()
    }
}

fn finished<'js>(promise: &Promise<'js>) -> rquickjs::Result<Value<'js>> {
    promise.finish().map_err(|error| match error {
        rquickjs::Error::WouldBlock => Exception::throw_type(
            promise.ctx(),
            "waits for something that never comes: there are no timers and no network",
        ),
        error => error,
    })
}

fn prelude<'js>(ctx: &Ctx<'js>, log: Log) -> rquickjs::Result<Function<'js>> {
    let write = Function::new(ctx.clone(), move |level: String, line: String| {
        log(&level, &line);
    })?;
    ctx.eval::<Function<'js>, _>(PRELUDE)?.call((write,))
}

/// Runs the top level.
fn exports<'js>(ctx: &Ctx<'js>, file: &str, text: &str) -> rquickjs::Result<Object<'js>> {
    let (module, done) = Module::declare(ctx.clone(), file, text)?.eval()?;
    finished(&done)?;
    module.namespace()
}

type Functions = Vec<(&'static str, &'static str, Persistent<Function<'static>>)>;

/// What the script exports against what can be asked. A name that nobody asks is a mistake: it was meant to be asked.
fn functions<'js>(
    ctx: &Ctx<'js>,
    file: &str,
    text: &str,
    exported: &Object<'js>,
) -> Result<Functions, Vec<String>> {
    let mut functions = Functions::new();
    let mut mistakes = Vec::new();
    for name in exported.keys::<String>().flatten() {
        let mut mistake = |what: String| {
            mistakes.push(format!("{}: {what}", place_of(file, text, &name)));
        };
        let Some(interface) = interfaces::find(&name) else {
            let known = std::iter::once(&PLUGIN).chain(SERVED);
            let known: Vec<_> = known.map(|interface| camel(interface.name)).collect();
            mistake(format!(
                "exports `{name}`, which nobody asks; there are {}",
                known.join(", ")
            ));
            continue;
        };
        match exported.get::<_, Object<'js>>(&name) {
            Ok(object) if !object.is_function() => {
                collect(ctx, interface, &object, &mut functions, &mut mistake);
            }
            _ => mistake(format!("`{name}` is an object with {}", names(interface))),
        }
    }
    let has = |interface: &str, function: Option<&str>| {
        functions.iter().any(|(of, name, _)| {
            *of == interface && function.is_none_or(|function| function == *name)
        })
    };
    if mistakes.is_empty() && !has("plugin", Some("manifest")) {
        mistakes.push(format!("{file}:1:1: nobody can tell who it is: export const plugin = {{ manifest() {{ return {{ id, version, summary }} }} }}"));
    }
    if mistakes.is_empty() && !SERVED[1..].iter().any(|one| has(one.name, None)) {
        let known: Vec<_> = SERVED[1..].iter().map(|one| camel(one.name)).collect();
        mistakes.push(format!(
            "{file}:1:1: exports no hook; there are {}",
            known.join(", ")
        ));
    }
    if mistakes.is_empty() {
        Ok(functions)
    } else {
        Err(mistakes)
    }
}

fn collect<'js>(
    ctx: &Ctx<'js>,
    interface: &'static Interface,
    object: &Object<'js>,
    functions: &mut Functions,
    mistake: &mut impl FnMut(String),
) {
    let exported = camel(interface.name);
    for key in object.keys::<String>().flatten() {
        let known = interface.functions.iter().find(|name| camel(name) == key);
        match (known, object.get::<_, Function<'js>>(&key)) {
            (Some(name), Ok(function)) => {
                functions.push((interface.name, name, Persistent::save(ctx, function)));
            }
            (Some(_), Err(_)) => mistake(format!("`{exported}.{key}` is no function")),
            (None, _) => mistake(format!(
                "nobody asks `{exported}.{key}`; there are {}",
                names(interface)
            )),
        }
    }
}

fn names(interface: &Interface) -> String {
    let names: Vec<_> = interface.functions.iter().map(|name| camel(name)).collect();
    names.join(", ")
}

/// Where the script speaks of an export: the engine does not remember.
fn place_of(file: &str, text: &str, name: &str) -> String {
    let at = text
        .match_indices("export")
        .find_map(|(at, _)| {
            let statement = text[at..].split([';', '{', '=']).next()?;
            let inside = statement.find(name)?;
            Some(at + inside)
        })
        .or_else(|| text.find(name))
        .unwrap_or_default();
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!("{file}:{line}:{column}")
}

fn told<'js>(ctx: &Ctx<'js>, file: &str, error: CaughtError<'js>) -> Thrown {
    match error {
        CaughtError::Error(error) => Thrown::plain(format!("{file}: {error}")),
        CaughtError::Exception(exception) => {
            let name: Option<String> = exception.get("name").ok();
            let words = format!(
                "{}: {}",
                name.as_deref().unwrap_or("Error"),
                exception.message().unwrap_or_default()
            );
            let stack = exception.stack().unwrap_or_default();
            let places: Vec<_> = stack
                .lines()
                .map(str::trim)
                .filter(|line| line.contains(file))
                .collect();
            let message = match places.first().and_then(|line| place_in(line, file)) {
                Some(place) => format!("{place}: {words}"),
                None => format!("{file}: {words}"),
            };
            Thrown {
                message,
                stack: (!places.is_empty()).then(|| places.join("\n")),
                value: None,
            }
        }
        CaughtError::Value(value) => {
            let json = ctx.json_stringify(value).ok().flatten();
            let value = json.and_then(|json| json.to_string().ok());
            Thrown {
                message: format!("{file}: threw {}", value.as_deref().unwrap_or("undefined")),
                stack: None,
                value,
            }
        }
    }
}

/// `at toRow (50-acme.js:3:18)` → `50-acme.js:3:18`
fn place_in<'a>(line: &'a str, file: &str) -> Option<&'a str> {
    let at = line.find(file)?;
    Some(line[at..].trim_end_matches(')'))
}

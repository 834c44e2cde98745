//! From what a script said to an answer of the contract.

use serde::de::DeserializeOwned;

use crate::bindings::cosell::mapping::types::{Context, Fault, Reason, Stop};
use crate::hear;
use crate::interfaces::camel;
use crate::script::{Script, Thrown};

/// Asks a hook. An answer of the wrong shape is a fault of the script, with the place of its function.
///
/// # Errors
/// What the script threw: a stop of the contract as it is, anything else as a fault.
pub fn ask<T: DeserializeOwned + Default>(
    script: &Script,
    interface: &str,
    function: &str,
    ctx: &Context,
    arguments: &[Option<String>],
) -> Result<T, Stop> {
    let answer = script
        .ask(interface, function, Some(&ctx.now), arguments)
        .map_err(|thrown| stop(&thrown))?;
    read(script, interface, function, answer.as_deref()).map_err(|message| {
        Stop::Fault(Fault {
            message,
            trace: None,
        })
    })
}

/// Asks `describe`, which throws a list of reasons when settings contradict each other.
///
/// # Errors
/// These reasons, or one that tells what else was thrown.
pub fn describe<T: DeserializeOwned + Default>(
    script: &Script,
    settings: Option<String>,
) -> Result<T, Vec<Reason>> {
    let broken = |message: String, hint: Option<String>| {
        vec![Reason {
            code: "script-failed".to_owned(),
            message,
            about: None,
            hint,
        }]
    };
    let answer = script
        .ask("plugin", "describe", None, &[settings])
        .map_err(|thrown| {
            let reasons = thrown.value.as_deref().and_then(|json| {
                let value: serde_json::Value = serde_json::from_str(json).ok()?;
                value.is_array().then(|| hear::read(Some(&value)).ok())?
            });
            reasons.unwrap_or_else(|| broken(thrown.message, thrown.stack))
        })?;
    read(script, "plugin", "describe", answer.as_deref()).map_err(|message| broken(message, None))
}

/// Asks for a constant, `manifest` or `cases`.
///
/// # Errors
/// What was thrown, or what is wrong with the answer, with its place.
pub fn constant<T: DeserializeOwned>(
    script: &Script,
    interface: &str,
    function: &str,
) -> Result<T, String> {
    let answer = script.ask(interface, function, None, &[]);
    let answer = answer.map_err(|thrown| thrown.message)?;
    read(script, interface, function, answer.as_deref())
}

fn read<T: DeserializeOwned>(
    script: &Script,
    interface: &str,
    function: &str,
    json: Option<&str>,
) -> Result<T, String> {
    let wrong = |why: String| {
        format!(
            "{}: {}.{} answered something else than the contract wants: {why}",
            script.place(interface, function),
            camel(interface),
            camel(function)
        )
    };
    // What the engine writes is JSON.
    let value = json
        .map(serde_json::from_str::<serde_json::Value>)
        .transpose()
        .map_err(|error| wrong(error.to_string()))?;
    hear::read(value.as_ref()).map_err(|mistake| wrong(mistake.to_string()))
}

/// A thrown stop of the contract is one; everything else says that the script is broken.
fn stop(thrown: &Thrown) -> Stop {
    let fault = |message: String| {
        Stop::Fault(Fault {
            message,
            trace: thrown.stack.clone(),
        })
    };
    let Some(json) = &thrown.value else {
        return fault(thrown.message.clone());
    };
    let value = serde_json::from_str::<serde_json::Value>(json).unwrap_or_default();
    if value.get("tag").is_none() {
        return fault(format!(
            "{}; throw an Error, or a stop: {{ tag: \"refuse\", val: [{{ code, message }}] }}",
            thrown.message
        ));
    }
    hear::read(Some(&value)).unwrap_or_else(|mistake| {
        fault(format!(
            "{}, which is no stop of the contract: {mistake}",
            thrown.message
        ))
    })
}

//! One file, from what lies in the folder to whether it may serve.

use super::*;

impl Keeper {
    /// A bug in the compiler or in us must not end the watching, nor keep the other files from being tried.
    pub(super) fn try_file(
        &mut self,
        file: &str,
        print: Print,
        said: Option<&[Said]>,
        is_stranger: bool,
    ) -> Result<(), LedgerError> {
        caught(|| self.examine(file, print, said, is_stranger)).unwrap_or_else(|words| {
            // As it is, it is not tried again.
            self.held(file).print = Some(print);
            self.refuse(file, our_fault(file, words))
        })
    }

    fn examine(
        &mut self,
        file: &str,
        print: Print,
        said: Option<&[Said]>,
        is_stranger: bool,
    ) -> Result<(), LedgerError> {
        let path = self.dir.join(file);
        let read = read_operator(&path).and_then(|operator| Ok((Offer::read(&path)?, operator)));
        let (offer, operator_text) = match read {
            Ok(read) => read,
            Err(rejection) => {
                // Nobody knows which bytes these were: whatever comes next is tried.
                self.held(file).content = None;
                let is_gone = !path.exists() && std::fs::symlink_metadata(&path).is_err();
                self.held(file).print = (!is_gone).then_some(print);
                return self.refuse(
                    file,
                    Rejection {
                        file: file.to_owned(),
                        ..rejection
                    },
                );
            }
        };
        let content = Some((offer.digest(), operator_text));
        let held = self.held(file);
        held.print = Some(print);
        if held.content == content && !held.may_pass_now() {
            return Ok(());
        }
        held.content = content;
        let now = self.content(file);
        let is_old = said.is_some_and(|said| now.as_ref().is_some_and(|now| said.contains(now)));
        if is_old || is_stranger {
            // A host from before may have refused what lay here meanwhile. Of what a stranger holds nobody knows whether its reason is true.
            let was_refused = self.held(file).is_refused();
            let lay_there = (is_old || was_refused) && rejected::remove(&self.dir, file);
            if was_refused || lay_there {
                let message = format!("{file}: the bytes that were refused are gone");
                self.tell(&[PluginEvent::nameless(file, What::Retired, message)]);
            }
            self.held(file).state = State::Old;
            return Ok(());
        }
        let quarantined = self.quarantined(file)?;
        let operator_text = self
            .held(file)
            .content
            .as_ref()
            .and_then(|(_, text)| text.clone())
            .unwrap_or_default();
        let operator = Operator::read(&operator_text);
        // Also where its bytes are quarantined: what is switched off retires.
        if operator.as_ref().is_ok_and(|operator| !operator.enabled) {
            rejected::remove(&self.dir, file);
            let held = self.held(file);
            let was_refused = held.is_refused();
            held.state = State::Off;
            if was_refused {
                self.refused_no_more(file, "is switched off in its operator file");
            }
            return Ok(());
        }
        if let Some(rejection) = quarantined {
            return self.refuse(file, rejection);
        }
        match operator {
            Ok(operator) => match self.load(&offer, &operator) {
                Ok(passed) => {
                    self.accept(file, offer, &operator, passed);
                    Ok(())
                }
                Err(rejection) => self.refuse(file, rejection),
            },
            Err(rejection) => self.refuse(
                file,
                Rejection {
                    file: file.to_owned(),
                    ..rejection
                },
            ),
        }
    }

    fn load(&self, offer: &Offer, operator: &Operator) -> Result<Passed, Rejection> {
        // Nothing of it runs, and nothing of it is compiled, before it is known whose it is.
        let vouched = offer
            .vouched(self.engine.trust(), &self.dir)
            .map_err(|why| Rejection {
                file: offer.file.clone(),
                hash: Some(hex::encode(offer.digest())),
                ..why
            })?;
        let loaded = load(&self.engine, offer, operator)?;
        let unlawful = self.self_test(&loaded.plugin, operator)?;
        Ok(Passed {
            loaded,
            vouched,
            unlawful,
        })
    }

    /// It may serve. Whether it does is decided with all others.
    fn accept(&mut self, file: &str, offer: Offer, operator: &Operator, passed: Passed) {
        let Passed {
            loaded,
            vouched,
            unlawful,
        } = passed;
        rejected::remove(&self.dir, file);
        let plugin = &loaded.plugin;
        let how = if loaded.from_cache {
            "taken from the cache"
        } else {
            "compiled"
        };
        let hooks: Vec<_> = plugin.hooks.iter().map(|hook| hook.as_str()).collect();
        let signed = match (&vouched.by, &vouched.warning) {
            (Some(key), _) => format!(", signed by {key}"),
            (None, Some(why)) => {
                tracing::warn!(file, why = %why, "nobody who is trusted vouches for this plugin; it is taken all the same, as [plugins] signatures = \"warn\" says");
                ", not signed".to_owned()
            }
            (None, None) => String::new(),
        };
        let unlawful = match unlawful {
            Some(why) => {
                tracing::warn!(file, why = %why, "it does not keep a law of the contract, and is taken all the same, as its operator file says");
                format!(", and taken although it does not keep a law: {why}")
            }
            None => String::new(),
        };
        let message = format!(
            "{file}: plugin \"{}\" {} passed ({}; {how} in {} ms, {} examples passed{signed}{unlawful})",
            plugin.id(),
            plugin.speaker.version,
            hooks.join(", "),
            loaded.compile.as_millis(),
            loaded.examples
        );
        let event = PluginEvent::about(plugin, What::Loaded, message);
        let member = Member {
            file: file.to_owned(),
            sha256: plugin.sha256.clone(),
            component: hex::encode(offer.wasm_digest()),
            source: offer.text_digest().map(hex::encode),
            operator: operator.text.clone(),
            detail: Detail {
                plugin: plugin.id().to_owned(),
                version: plugin.speaker.version.clone(),
                mode: operator.mode.unwrap_or(Mode::Live),
                deals: operator.deals.clone(),
                promote: operator.promote,
                approved: Approved::of(plugin, &plugin.imports),
                signer: vouched.by,
                engine_signer: vouched.engine_by,
                ..Detail::default()
            },
        };
        let text = member
            .source
            .clone()
            .zip(offer.text.map(String::into_bytes));
        let bytes = std::iter::once((member.component.clone(), offer.wasm)).chain(text);
        let version = Version {
            bytes: bytes.collect(),
            plugin: Kept(Arc::clone(plugin)),
            member,
            clash: None,
            is_judged: operator.laws == Laws::Warn,
        };
        let held = self.held(file);
        held.state = State::Good(Box::new(version));
        held.is_told = false;
        self.tell(&[event]);
    }
}

//! A policy in Rego, evaluated in this process.

use super::{NoDecision, PolicyError, PolicySettings};
use crate::reload::Reloaded;
use regorus::{Engine, Value, utils::limits::ExecutionTimerConfig};
use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Engines that are kept for the next questions; more are made when more are needed at once.
const IDLE_ENGINES: usize = 16;

/// The policy of a file.
pub(super) struct Local {
    rule: String,
    prepared: Reloaded<Prepared, PolicyError>,
}

/// A policy that was read: an engine to copy, and copies that nobody uses at the moment.
struct Prepared {
    engine: Mutex<Engine>,
    idle: Mutex<Vec<Engine>>,
}

impl Local {
    pub fn load(settings: &PolicySettings, time: Duration) -> Result<Self, PolicyError> {
        let files: Vec<_> = settings.file.iter().chain(&settings.data).cloned().collect();
        let path = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        let rule = settings.rule.clone();
        let prepared = Reloaded::load("policy", files, {
            let rule = rule.clone();
            move |contents| {
                prepare(contents, &rule, time).map_err(|why| PolicyError::Content { path: path.clone(), why })
            }
        })?;
        Ok(Self { rule, prepared })
    }

    /// Whether the rule is true for this input.
    pub fn ask(&self, input: &str) -> Result<bool, NoDecision> {
        let prepared = self.prepared.current();
        let idle = lock(&prepared.idle).pop();
        let mut engine = idle.unwrap_or_else(|| lock(&prepared.engine).clone());
        let answer = evaluate(&mut engine, input, &self.rule);
        let mut idle = lock(&prepared.idle);
        if idle.len() < IDLE_ENGINES {
            idle.push(engine);
        }
        drop(idle);
        answer.map_err(|why| {
            tracing::error!(why, "the policy could not be evaluated: the request gets 503");
            NoDecision { retry_after_seconds: 60 }
        })
    }

    pub async fn keep_current(&self, every: Duration, stop: CancellationToken) {
        self.prepared.keep_current(every, stop).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // An engine is taken out, used and put back: a panic leaves none in an unknown state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn evaluate(engine: &mut Engine, input: &str, rule: &str) -> Result<bool, String> {
    engine.set_input_json(input).map_err(|error| error.to_string())?;
    let value = engine.eval_rule(rule.to_owned()).map_err(|error| error.to_string())?;
    Ok(value == Value::Bool(true))
}

/// Reads the policy, as Rego v1 and else as Rego v0, and asks it something, to see whether it has the rule.
fn prepare(contents: &[Vec<u8>], rule: &str, time: Duration) -> Result<Prepared, String> {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).map_err(|_| "it is not UTF-8".to_owned());
    let policy = text(contents.first().ok_or("there is no file")?)?;
    let data = contents.get(1).map(text).transpose()?;
    let engine = |v0: bool| -> Result<Engine, String> {
        let mut engine = Engine::new();
        engine.set_rego_v0(v0);
        // as the Open Policy Agent: a function that fails has no value
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: time,
            check_interval: NonZeroU32::MIN,
        });
        engine.add_policy("policy".to_owned(), policy.clone()).map_err(|error| error.to_string())?;
        if let Some(data) = &data {
            engine.add_data_json(data).map_err(|error| format!("the data cannot be used: {error}"))?;
        }
        let nobody = r#"{"user_info":{},"path":"","method":"GET","has_body":false}"#;
        evaluate(&mut engine, nobody, rule)?;
        Ok(engine)
    };
    // what is wrong is told of the version that is current
    let engine = engine(false).or_else(|why| engine(true).map_err(|_| why))?;
    Ok(Prepared { engine: Mutex::new(engine), idle: Mutex::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: &str =
        r#"{"user_info":{"groups":["/admins"]},"path":"/api/v1/providers/","method":"POST","has_body":true}"#;

    fn asked(policy: &str, data: Option<&str>) -> Result<bool, String> {
        let contents: Vec<_> =
            [Some(policy), data].into_iter().flatten().map(|text| text.as_bytes().to_vec()).collect();
        let prepared = prepare(&contents, "data.fed_reg.allow", Duration::from_millis(200))?;
        evaluate(&mut lock(&prepared.engine).clone(), INPUT, "data.fed_reg.allow")
    }

    #[test]
    fn policies_of_both_versions() {
        let data = Some(r#"{"admins": ["/admins"]}"#);
        for (policy, expected) in [
            (
                "package fed_reg\ndefault allow := false\nallow if input.user_info.groups[_] == data.admins[_]",
                true,
            ),
            ("package fed_reg\nimport rego.v1\nallow if \"/admins\" in input.user_info.groups", true),
            (
                "package fed_reg\ndefault allow = false\nallow { input.user_info.groups[_] == data.admins[_] }",
                true,
            ),
            ("package fed_reg\nallow if input.user_info.groups[_] == \"/others\"", false),
            ("package fed_reg\nallow := \"true\"", false),
            ("package fed_reg\nallow := 1", false),
            // a function that fails has no value
            ("package fed_reg\nallow if to_number(input.path) == 1", false),
        ] {
            assert_eq!(asked(policy, data), Ok(expected), "{policy}");
        }
    }

    #[test]
    fn what_is_no_policy_is_told() {
        for policy in
            ["", "package fed_reg\nallow if {", "package other\nallow := true", "allow := true", "\u{0}"]
        {
            assert!(asked(policy, None).is_err(), "{policy}");
        }
        let why = asked("package fed_reg\nallow := true", Some("[")).unwrap_err();
        assert!(why.contains("data"), "{why}");
    }

    #[test]
    fn a_policy_without_end_is_cut_off() {
        let long = "package fed_reg\nallow if { some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == -1 }";
        assert!(asked(long, None).unwrap_err().contains("limit"), "{:?}", asked(long, None));
    }
}

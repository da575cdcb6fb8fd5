//! Where a secret comes from: the provider file itself, another file, or an environment variable.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The three fields of a secret, and what they are called.
pub struct SecretSource<'a> {
    /// `token`, `secret` or `password`.
    pub name: &'static str,
    /// In the file itself.
    pub value: Option<&'a SecretString>,
    /// A file that holds it.
    pub file: Option<&'a PathBuf>,
    /// An environment variable that holds it.
    pub env: Option<&'a str>,
}

/// What is wrong with a secret: the field to name, and what to do.
pub struct Missing {
    /// `token`, `token_file` or `token_env`; empty when none is there.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl SecretSource<'_> {
    /// Whether nothing is said of the secret at all.
    pub fn is_absent(&self) -> bool {
        self.value.is_none() && self.file.is_none() && self.env.is_none()
    }

    /// The secret. Files are read at every run, so that what renews a token need only write the file; relative
    /// paths start at the folder of the provider file.
    pub fn get(&self, folder: &Path, environment: Environment<'_>) -> Result<SecretString, Missing> {
        let Self { name, value, file, env } = self;
        let missing = |suffix: &str, message: String| Missing { field: format!("{name}{suffix}"), message };
        let filled = |text: &str, suffix: &str, what: &str| match text.trim() {
            "" => Err(missing(suffix, format!("{what} is empty: write the {name} there"))),
            text => Ok(SecretString::from(text)),
        };
        match (value, file, env) {
            (Some(value), None, None) => {
                filled(secrecy::ExposeSecret::expose_secret(*value), "", &format!("`{name}`"))
            }
            (None, Some(file), None) => {
                let path = folder.join(file);
                match std::fs::read_to_string(&path) {
                    Ok(text) => filled(&text, "_file", &path.display().to_string()),
                    Err(why) => {
                        let message = format!(
                            "{} cannot be read ({why}): the {name} is expected there",
                            path.display()
                        );
                        Err(missing("_file", message))
                    }
                }
            }
            (None, None, Some(variable)) => {
                let unset = || {
                    format!("the environment variable {variable} is not set: the {name} is expected there")
                };
                let text = environment(variable).ok_or_else(|| missing("_env", unset()))?;
                filled(&text, "_env", &format!("the environment variable {variable}"))
            }
            (None, None, None) => Err(Missing {
                field: String::new(),
                message: format!("there is no {name}: add `{name}_file`, `{name}_env` or `{name}`"),
            }),
            _ => {
                let suffix = if file.is_some() { "_file" } else { "_env" };
                let message = format!(
                    "the {name} is given in more than one way: keep one of `{name}`, `{name}_file` and `{name}_env`"
                );
                Err(missing(suffix, message))
            }
        }
    }
}

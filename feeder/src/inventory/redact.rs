//! A provider file without its secrets, line for line and column for column, for messages that quote it.

/// Keys whose value is a secret.
const SECRET: &[&str] = &["token", "secret", "password", "client_secret"];

/// Replaces the values of secret keys; every other character stays where it is.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The indentation of a secret key whose value may go on in deeper lines.
    let mut inside: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let end = &line[body.len()..];
        let indent = body.len() - body.trim_start().len();
        if body.trim().is_empty() {
            out.push_str(line);
            continue;
        }
        if inside.is_some_and(|key| indent > key) && !is_entry(body) {
            out.push_str(&body[..indent]);
            out.push('#');
            out.push_str(end);
            continue;
        }
        inside = None;
        let (shown, open) = redact_line(body);
        out.push_str(&shown);
        out.push_str(end);
        if open {
            inside = Some(key_column(body));
        }
    }
    out
}

/// The line without secrets, and whether the last of them may go on in the next line.
fn redact_line(line: &str) -> (String, bool) {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    let mut open = false;
    while let Some((before, value, key)) = next_secret(rest) {
        shown.push_str(before);
        let flow = shown.contains('{');
        let mapping = key == "password" && value.starts_with('{');
        let length = if mapping { 1 } else { value_length(value, flow) };
        let (secret, after) = value.split_at(length);
        if secret.is_empty() || mapping {
            shown.push_str(secret);
        } else {
            shown.push_str("\"*****\"");
        }
        open = !flow && after.is_empty();
        rest = after;
        if length == 0 {
            break;
        }
    }
    shown.push_str(rest);
    (shown, open)
}

/// Splits behind the next `secret:` key, spaces included; the key comes third.
fn next_secret(line: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|place| from + place) {
        let key = line[..colon].trim_end().trim_end_matches(['"', '\'']);
        let start = key
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |place| place + key[place..].chars().next().map_or(1, char::len_utf8));
        let after = &line[colon + 1..];
        if SECRET.contains(&&key[start..]) && after.chars().next().is_none_or(char::is_whitespace) {
            let value = after.trim_start();
            let (before, value) = line.split_at(line.len() - value.len());
            return Some((before, value, &key[start..]));
        }
        from = colon + 1;
    }
    None
}

/// How much of what follows a secret key is its value. (A mapping below `password` is none: its own keys count.)
fn value_length(value: &str, flow: bool) -> usize {
    if !flow {
        return value.len();
    }
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted_length(value, quote),
        _ => value.find([',', '}']).unwrap_or(value.len()),
    }
}

/// The length of a quoted text with its quotes; all of it when it does not end here.
fn quoted_length(value: &str, quote: char) -> usize {
    let mut chars = value.char_indices().skip(1).peekable();
    while let Some((place, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.next_if(|(_, next)| *next == quote).is_some() {
                continue;
            }
            return place + c.len_utf8();
        }
    }
    value.len()
}

/// `key: value` or `- ...`: no continuation of a text.
fn is_entry(line: &str) -> bool {
    let line = line.trim_start();
    line.split_once(':').is_some_and(|(key, rest)| {
        !key.contains(char::is_whitespace) && rest.chars().next().is_none_or(char::is_whitespace)
    })
}

/// The column of the key, behind the dashes of lists.
fn key_column(line: &str) -> usize {
    line.find(|c: char| !(c.is_whitespace() || c == '-')).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_go_and_everything_else_stays() {
        let text = "\
trusted_idps:
  - issuer: https://iam.example.org/   # token: none here
    token: eyJabc.def.ghi
    token_file: /run/token
  - token: 'quoted ''hidden'''
openstack:
  - auth:
      password: {username: u, password: hunter2, user_domain: D}
  - auth:
      password:
        username: u
        password: hun:ter2
  - auth:
      application_credential: {id: x, secret: \"s, e}cr\\\"et\", x: 1}
  - auth:
      token: >-
        folded
        secret
      token_env: NAME
  - auth:
      token:
        hunter2
    name: A
";
        let shown = redact(text);
        for secret in ["eyJ", "quoted", "hidden", "hunter2", "hun:ter2", "cr\\", "folded", "  secret\n"] {
            assert!(!shown.contains(secret), "{secret} is still there:\n{shown}");
        }
        assert_eq!(shown.lines().count(), text.lines().count());
        for kept in [
            "issuer: https://iam.example.org/",
            "token_file: /run/token",
            "username: u",
            "user_domain: D",
            "id: x",
        ] {
            assert!(shown.contains(kept), "{kept} is gone:\n{shown}");
        }
        for (before, after) in text.lines().zip(shown.lines()) {
            assert!(
                before == after || after.contains("*****") || after.trim() == "#",
                "{before} became {after}"
            );
        }
    }
}

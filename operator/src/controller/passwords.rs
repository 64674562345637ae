//! The passwords that members accept: the one in the user's Secret or a random one, and for a while
//! after a change the one before, so that clients have time to follow. Pure but for randomness.

use std::collections::BTreeMap;

use rand::distr::{Alphanumeric, SampleString};

use super::certificates::Data;
use crate::crd::SecretKey;

/// Key of the Secret that the operator makes for people.
pub(super) const PASSWORD: &str = "password";
/// Key of the mounted Secret: what members read, a password a line.
pub(super) const PASSWORDS: &str = "passwords";
/// Keys of the mounted Secret that members do not read.
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
const PREVIOUS_UNTIL: &str = "previous-until";

/// For this long the password before a change is accepted beside the new one, seconds.
const OVERLAP_S: u64 = 600;
const LENGTH: usize = 32;

/// What the Secrets hold.
#[derive(Clone, Debug)]
pub(super) struct Existing<'a> {
    /// `spec.auth.secret`.
    pub(super) reference: Option<&'a SecretKey>,
    /// The Secret that it names.
    pub(super) given: Option<&'a Data>,
    /// `<name>-auth`.
    pub(super) own: Option<&'a Data>,
    /// `<name>-passwords`.
    pub(super) mounted: Option<&'a Data>,
}

/// What the Secrets should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Renewed {
    /// `<name>-auth`; absent when the user has a Secret of their own.
    pub(super) own: Option<Data>,
    /// `<name>-passwords`.
    pub(super) mounted: Data,
}

/// Why there is no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPassword {
    #[error(
        "Secret {name}, named by spec.auth.secret, does not exist; make it: kubectl create secret \
         generic {name} --from-literal={key}=PASSWORD"
    )]
    Missing { name: String, key: String },
    #[error(
        "Secret {name} has no password under the key {key} of spec.auth.secret; add it: kubectl \
         patch secret {name} -p '{{\"stringData\":{{\"{key}\":\"PASSWORD\"}}}}'"
    )]
    Empty { name: String, key: String },
}

/// What the Secrets should hold at this time, Unix seconds.
pub(super) fn renew(existing: &Existing<'_>, now_unix_s: u64) -> Result<Renewed, NoPassword> {
    let (own, current) = match existing.reference {
        Some(reference) => (None, given(reference, existing.given)?),
        None => {
            let known = existing.own.and_then(|own| text(own, PASSWORD));
            let password = known.filter(|text| !text.trim().is_empty());
            let password =
                password.unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), LENGTH));
            (Some(one(PASSWORD, &password)), password)
        }
    };
    let current = lines(&current);
    Ok(Renewed { own, mounted: mounted(&current, existing.mounted, now_unix_s) })
}

fn given(reference: &SecretKey, secret: Option<&Data>) -> Result<String, NoPassword> {
    let SecretKey { name, key } = reference.clone();
    let Some(secret) = secret else { return Err(NoPassword::Missing { name, key }) };
    let password = text(secret, &key).filter(|text| !text.trim().is_empty());
    password.ok_or(NoPassword::Empty { name, key })
}

fn mounted(current: &str, before: Option<&Data>, now_unix_s: u64) -> Data {
    let was = |key| before.and_then(|data| text(data, key));
    let changed = was(CURRENT).filter(|was| was != current);
    let (previous, until_unix_s) = match changed {
        Some(previous) => (Some(previous), now_unix_s.saturating_add(OVERLAP_S)),
        None => {
            let until = was(PREVIOUS_UNTIL).and_then(|until| until.parse().ok()).unwrap_or(0);
            (was(PREVIOUS).filter(|_| now_unix_s < until), until)
        }
    };
    let mut data = one(CURRENT, current);
    let all = format!("{current}{}", previous.as_deref().unwrap_or_default());
    data.extend(one(PASSWORDS, &all));
    if let Some(previous) = previous {
        data.extend(one(PREVIOUS, &previous));
        data.extend(one(PREVIOUS_UNTIL, &until_unix_s.to_string()));
    }
    data
}

/// Each password on a line of its own, as members read them.
fn lines(text: &str) -> String {
    let passwords = text.lines().filter(|line| !line.is_empty());
    passwords.flat_map(|line| [line, "\n"]).collect()
}

fn text(data: &Data, key: &str) -> Option<String> {
    String::from_utf8(data.get(key)?.clone()).ok()
}

fn one(key: &str, value: &str) -> Data {
    BTreeMap::from([(key.to_owned(), value.as_bytes().to_vec())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Existing<'_> = Existing { reference: None, given: None, own: None, mounted: None };

    fn accepted(renewed: &Renewed) -> String {
        text(&renewed.mounted, PASSWORDS).unwrap()
    }

    fn of_user<'a>(
        reference: &'a SecretKey,
        given: &'a Data,
        mounted: Option<&'a Data>,
    ) -> Existing<'a> {
        Existing { reference: Some(reference), given: Some(given), mounted, ..NONE }
    }

    fn reference() -> SecretKey {
        SecretKey { name: "mine".to_owned(), key: "pw".to_owned() }
    }

    #[test]
    fn a_random_password_is_made_once() {
        let first = renew(&NONE, 0).unwrap();
        let own = first.own.clone().unwrap();
        assert_eq!(own[PASSWORD].len(), LENGTH);
        let existing = Existing { own: Some(&own), mounted: Some(&first.mounted), ..NONE };
        assert_eq!(renew(&existing, 10).unwrap(), first);
        assert_ne!(renew(&NONE, 0).unwrap(), first);
    }

    #[test]
    fn after_a_change_both_passwords_are_accepted_for_a_while() {
        let name = reference();
        let (old, new) = (one("pw", "old"), one("pw", "new\n"));
        let first = renew(&of_user(&name, &old, None), 0).unwrap();
        assert_eq!(accepted(&first), "old\n");
        let second = renew(&of_user(&name, &new, Some(&first.mounted)), 1000).unwrap();
        assert_eq!(accepted(&second), "new\nold\n");
        let during = renew(&of_user(&name, &new, Some(&second.mounted)), 1000 + OVERLAP_S - 1);
        assert_eq!(during.unwrap(), second);
        let after = renew(&of_user(&name, &new, Some(&second.mounted)), 1000 + OVERLAP_S);
        assert_eq!(accepted(&after.unwrap()), "new\n");
    }

    #[test]
    fn what_is_missing_is_said_with_the_command_that_makes_it() {
        let name = reference();
        let missing = renew(&Existing { reference: Some(&name), ..NONE }, 0).unwrap_err();
        let text = missing.to_string();
        assert!(text.contains("create secret generic mine --from-literal=pw="), "{text}");
        let empty = renew(&of_user(&name, &one("pw", " \n"), None), 0).unwrap_err().to_string();
        assert!(empty.contains("has no password under the key pw"), "{empty}");
        assert!(empty.contains(r#"'{"stringData":{"pw":"PASSWORD"}}'"#), "{empty}");
    }
}

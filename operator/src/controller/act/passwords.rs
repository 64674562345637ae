//! The passwords that members accept: the one in the user's Secret or a random one, and for some
//! time after a change also the previous one, so that clients have time to follow. Pure except for
//! the random password.

use std::collections::BTreeMap;

use rand::distr::{Alphanumeric, SampleString};

use crate::controller::observe::secrets::{PasswordSecrets, SecretData};
use crate::crd::SecretKey;
use crate::names::volumes::PASSWORDS_FILE;

/// Key of the password in the Secret that the operator makes for people and clients.
const PASSWORD: &str = "password";
/// Keys of the mounted Secret that members do not read.
const CURRENT: &str = "current";
const PREVIOUS: &str = "previous";
const PREVIOUS_UNTIL: &str = "previous-until";

/// After a change, the previous password is accepted for this long, in seconds.
const OVERLAP_S: u64 = 600;
const LENGTH: usize = 32;

/// The desired content of the Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Renewed {
    /// `<name>-auth`; `None` when `spec.auth.secret` names a Secret of the user.
    pub(super) own: Option<SecretData>,
    /// `<name>-passwords`.
    pub(super) mounted: SecretData,
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

/// The desired content of the Secrets at this time. `reference` is `spec.auth.secret`.
pub(super) fn renew(
    reference: Option<&SecretKey>,
    existing: &PasswordSecrets,
    now_unix_s: u64,
) -> Result<Renewed, NoPassword> {
    let (own, current) = match reference {
        Some(reference) => (None, given(reference, existing.given.as_ref())?),
        None => {
            let known = existing.own.as_ref().and_then(|own| text(own, PASSWORD));
            let password = known.filter(|text| !text.trim().is_empty());
            let password =
                password.unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), LENGTH));
            (Some(entry(PASSWORD, &password)), password)
        }
    };
    let current = lines(&current);
    Ok(Renewed { own, mounted: mounted(&current, existing.mounted.as_ref(), now_unix_s) })
}

fn given(reference: &SecretKey, secret: Option<&SecretData>) -> Result<String, NoPassword> {
    let SecretKey { name, key } = reference.clone();
    let Some(secret) = secret else { return Err(NoPassword::Missing { name, key }) };
    let password = text(secret, &key).filter(|text| !text.trim().is_empty());
    password.ok_or(NoPassword::Empty { name, key })
}

fn mounted(current: &str, before: Option<&SecretData>, now_unix_s: u64) -> SecretData {
    let was = |key| before.and_then(|data| text(data, key));
    let changed = was(CURRENT).filter(|was| was != current);
    let (previous, until_unix_s) = match changed {
        Some(previous) => (Some(previous), now_unix_s.saturating_add(OVERLAP_S)),
        None => {
            let until = was(PREVIOUS_UNTIL).and_then(|until| until.parse().ok()).unwrap_or(0);
            (was(PREVIOUS).filter(|_| now_unix_s < until), until)
        }
    };
    let mut data = entry(CURRENT, current);
    let all = format!("{current}{}", previous.as_deref().unwrap_or_default());
    data.extend(entry(PASSWORDS_FILE, &all));
    if let Some(previous) = previous {
        data.extend(entry(PREVIOUS, &previous));
        data.extend(entry(PREVIOUS_UNTIL, &until_unix_s.to_string()));
    }
    data
}

/// The passwords, each on its own line.
fn lines(text: &str) -> String {
    let passwords = text.lines().filter(|line| !line.is_empty());
    passwords.flat_map(|line| [line, "\n"]).collect()
}

fn text(data: &SecretData, key: &str) -> Option<String> {
    String::from_utf8(data.get(key)?.clone()).ok()
}

fn entry(key: &str, value: &str) -> SecretData {
    BTreeMap::from([(key.to_owned(), value.as_bytes().to_vec())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(renewed: &Renewed) -> String {
        text(&renewed.mounted, PASSWORDS_FILE).unwrap()
    }

    fn of_user(given: &SecretData, mounted: Option<&SecretData>, now_unix_s: u64) -> Renewed {
        let existing = secrets(given, mounted);
        renew(Some(&reference()), &existing, now_unix_s).unwrap()
    }

    fn secrets(given: &SecretData, mounted: Option<&SecretData>) -> PasswordSecrets {
        PasswordSecrets { given: Some(given.clone()), own: None, mounted: mounted.cloned() }
    }

    fn reference() -> SecretKey {
        SecretKey { name: "mine".to_owned(), key: "pw".to_owned() }
    }

    #[test]
    fn a_random_password_is_made_once() {
        let none = PasswordSecrets::default();
        let first = renew(None, &none, 0).unwrap();
        assert_eq!(first.own.as_ref().unwrap()[PASSWORD].len(), LENGTH);
        let existing = PasswordSecrets {
            own: first.own.clone(),
            mounted: Some(first.mounted.clone()),
            ..PasswordSecrets::default()
        };
        assert_eq!(renew(None, &existing, 10).unwrap(), first);
        assert_ne!(renew(None, &none, 0).unwrap(), first);
    }

    #[test]
    fn after_a_change_both_passwords_are_accepted_for_a_while() {
        let (old, new) = (entry("pw", "old"), entry("pw", "new\n"));
        let first = of_user(&old, None, 0);
        assert_eq!(accepted(&first), "old\n");
        let second = of_user(&new, Some(&first.mounted), 1000);
        assert_eq!(accepted(&second), "new\nold\n");
        let during = of_user(&new, Some(&second.mounted), 1000 + OVERLAP_S - 1);
        assert_eq!(during, second);
        let after = of_user(&new, Some(&second.mounted), 1000 + OVERLAP_S);
        assert_eq!(accepted(&after), "new\n");
    }

    #[test]
    fn a_missing_password_is_reported_with_the_command_that_sets_it() {
        let reference = reference();
        let missing = renew(Some(&reference), &PasswordSecrets::default(), 0).unwrap_err();
        let text = missing.to_string();
        assert!(text.contains("create secret generic mine --from-literal=pw="), "{text}");
        let empty = renew(Some(&reference), &secrets(&entry("pw", " \n"), None), 0);
        let empty = empty.unwrap_err().to_string();
        assert!(empty.contains("has no password under the key pw"), "{empty}");
        assert!(empty.contains(r#"'{"stringData":{"pw":"PASSWORD"}}'"#), "{empty}");
    }
}

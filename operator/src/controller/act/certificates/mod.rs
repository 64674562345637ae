//! The certificates that the operator makes for a cluster: a certificate authority, and the
//! certificates for members and clients that it signs. Pure except for the random keys: the new
//! content of the Secrets follows from their present content and the time.
//!
//! All members trust a new authority before it signs, and trust the previous one until no member
//! uses a certificate of it any more. So members with older files can always connect to each other.

mod hosts;
mod pair;

use std::collections::BTreeMap;

use pair::Pair;
use rcgen::ExtendedKeyUsagePurpose as Usage;

use crate::controller::observe::secrets::{CertificateSecrets, SecretData};

pub(super) use hosts::Hosts;

const DAY_S: u64 = 24 * 3600;
/// Life time of an authority.
const AUTHORITY_LIFE_S: u64 = 3650 * DAY_S;
/// Life time of a certificate that an authority signs.
const LEAF_LIFE_S: u64 = 90 * DAY_S;
/// Within this time a changed Secret reaches every pod.
const PROPAGATION_S: u64 = 3600;

/// Keys in the Secret of the authority.
mod keys {
    /// The certificate of the authority that signs, and its private key.
    pub(super) const CERTIFICATE: &str = "tls.crt";
    pub(super) const KEY: &str = "tls.key";
    /// The authority that will sign next.
    pub(super) const NEXT_CERTIFICATE: &str = "next.crt";
    pub(super) const NEXT_KEY: &str = "next.key";
    /// The authority that signed before.
    pub(super) const OLD_CERTIFICATE: &str = "old.crt";
    /// When the next or the old authority was added, in Unix seconds.
    pub(super) const SINCE: &str = "since";
    /// The certificates of all trusted authorities.
    pub(super) const TRUSTED: &str = "ca.crt";
}

/// The desired content of the Secrets; `None` for one that is not needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Renewed {
    pub(super) authority: Option<SecretData>,
    pub(super) peers: Option<SecretData>,
    pub(super) clients: Option<SecretData>,
}

/// The desired content of the Secrets at this time. A certificate that is damaged, foreign or too
/// old is replaced; all others stay the same byte for byte.
pub(super) fn renew(
    existing: &CertificateSecrets,
    hosts: &Hosts,
    now_unix_s: u64,
) -> Result<Renewed, rcgen::Error> {
    if hosts.peers.is_none() && hosts.clients.is_none() {
        return Ok(Renewed::default());
    }
    let authority = Authority::read(existing.authority.as_ref(), now_unix_s);
    let trusted = existing.peers.as_ref().and_then(|peers| peers.get(keys::TRUSTED));
    let authority = authority.renew(&hosts.cluster, trusted, now_unix_s)?;
    let leaf = |existing: &Option<SecretData>, names: &Option<Vec<String>>, usages: &[Usage]| {
        let make =
            |names: &Vec<String>| authority.leaf(existing.as_ref(), names, usages, now_unix_s);
        names.as_ref().map(make).transpose()
    };
    Ok(Renewed {
        peers: leaf(&existing.peers, &hosts.peers, &[Usage::ServerAuth, Usage::ClientAuth])?,
        // The key of this certificate must not authenticate a peer.
        clients: leaf(&existing.clients, &hosts.clients, &[Usage::ServerAuth])?,
        authority: Some(authority.data()),
    })
}

/// The current authority, the next one and the previous one.
struct Authority {
    now: Option<Pair>,
    next: Option<Pair>,
    old: Option<String>,
    since_unix_s: u64,
}

impl Authority {
    fn read(data: Option<&SecretData>, now_unix_s: u64) -> Self {
        let text = |key: &str| {
            data.and_then(|data| data.get(key))
                .and_then(|bytes| String::from_utf8(bytes.clone()).ok())
        };
        let pair = |certificate: &str, key: &str| {
            let pair = Pair::parse(&text(certificate)?, &text(key)?)?;
            (pair.is_authority && now_unix_s < pair.not_after_unix_s).then_some(pair)
        };
        Self {
            now: pair(keys::CERTIFICATE, keys::KEY),
            next: pair(keys::NEXT_CERTIFICATE, keys::NEXT_KEY),
            old: text(keys::OLD_CERTIFICATE).filter(|pem| pair::is_certificate(pem)),
            since_unix_s: text(keys::SINCE).and_then(|since| since.parse().ok()).unwrap_or(0),
        }
    }

    /// Replaces the authority if necessary. `trusted` is the list of authorities that members
    /// trust.
    fn renew(
        mut self,
        cluster: &str,
        trusted: Option<&Vec<u8>>,
        now_unix_s: u64,
    ) -> Result<Self, rcgen::Error> {
        let is_spread = now_unix_s >= self.since_unix_s.saturating_add(PROPAGATION_S);
        let make = || Pair::authority(cluster, now_unix_s, AUTHORITY_LIFE_S);
        match (&self.now, &self.next) {
            // The Secret was lost or damaged. Its certificates are trusted until all are replaced.
            (None, _) => {
                let old = trusted.and_then(|pem| String::from_utf8(pem.clone()).ok());
                self.old = old.filter(|pem| pair::is_certificate(pem));
                self.now = Some(make()?);
                self.next = None;
                self.since_unix_s = now_unix_s;
            }
            (Some(now), None) if now.is_old(now_unix_s) => {
                self.next = Some(make()?);
                self.since_unix_s = now_unix_s;
            }
            (Some(now), Some(_)) if is_spread => {
                self.old = Some(now.certificate.clone());
                self.now = self.next.take();
                self.since_unix_s = now_unix_s;
            }
            (Some(_), None) if is_spread => self.old = None,
            _ => {}
        }
        Ok(self)
    }

    fn trusted(&self) -> String {
        let now = self.now.iter().chain(&self.next).map(|pair| pair.certificate.as_str());
        now.chain(self.old.as_deref()).collect()
    }

    fn data(&self) -> SecretData {
        let pair = |pair: &Option<Pair>, certificate, key| {
            let pair = pair.as_ref();
            [(certificate, pair.map(|p| p.certificate.clone())), (key, pair.map(|p| p.key.clone()))]
        };
        let mut fields = Vec::from(pair(&self.now, keys::CERTIFICATE, keys::KEY));
        fields.extend(pair(&self.next, keys::NEXT_CERTIFICATE, keys::NEXT_KEY));
        fields.push((keys::OLD_CERTIFICATE, self.old.clone()));
        fields.push((keys::SINCE, Some(self.since_unix_s.to_string())));
        fields.push((keys::TRUSTED, Some(self.trusted())));
        let present = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
        present.map(|(key, value)| (key.to_owned(), value.into_bytes())).collect()
    }

    /// The existing certificate if it is still good, else a new one.
    fn leaf(
        &self,
        existing: Option<&SecretData>,
        names: &[String],
        usages: &[Usage],
        now_unix_s: u64,
    ) -> Result<SecretData, rcgen::Error> {
        let text = |key: &str| String::from_utf8(existing?.get(key)?.clone()).ok();
        let pair = text(keys::CERTIFICATE).zip(text(keys::KEY));
        let pair = pair.and_then(|(certificate, key)| Pair::parse(&certificate, &key));
        let signer = self.now.as_ref();
        let good = |pair: &Pair| {
            pair.is_for(names)
                && !pair.is_old(now_unix_s)
                && signer.is_some_and(|signer| pair.issuer == signer.subject)
        };
        let pair = match (pair.filter(good), signer) {
            (Some(pair), _) => pair,
            (None, Some(signer)) => signer.sign(names, usages, now_unix_s, LEAF_LIFE_S)?,
            (None, None) => return Err(rcgen::Error::CouldNotParseCertificate),
        };
        Ok(BTreeMap::from([
            (keys::CERTIFICATE.to_owned(), pair.certificate.into_bytes()),
            (keys::KEY.to_owned(), pair.key.into_bytes()),
            (keys::TRUSTED.to_owned(), self.trusted().into_bytes()),
        ]))
    }
}

#[cfg(test)]
mod certificates_test;

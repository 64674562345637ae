//! A certificate and its private key: how they are made, signed and parsed.

use std::collections::BTreeSet;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints as Constraints, SubjectAltName};

/// The clocks of machines may differ by this much, in seconds.
const SKEW_S: u64 = 300;

/// A certificate and its private key in PEM, and the fields of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) is_authority: bool,
    pub(super) not_after_unix_s: u64,
    not_before_unix_s: u64,
    names: BTreeSet<String>,
}

/// Whether a text is a certificate in PEM.
pub(super) fn is_certificate(pem: &str) -> bool {
    parse(pem).is_some()
}

fn parse(pem: &str) -> Option<Certificate> {
    Certificate::from_der(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?).ok()
}

impl Pair {
    /// Parses a pair; `None` when a part is damaged or the key does not belong to the certificate.
    pub(super) fn parse(certificate: &str, key: &str) -> Option<Self> {
        let parsed = parse(certificate)?;
        let body = &parsed.tbs_certificate;
        let public = body.subject_public_key_info.to_der().ok()?;
        if KeyPair::from_pem(key).ok()?.subject_public_key_info() != public {
            return None;
        }
        let names = body.get::<SubjectAltName>().ok()?.map_or_else(Vec::new, |(_, names)| names.0);
        let names = names.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
            _ => None,
        });
        Some(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            subject: body.subject.to_string(),
            issuer: body.issuer.to_string(),
            is_authority: body.get::<Constraints>().ok()?.is_some_and(|(_, all)| all.ca),
            not_before_unix_s: body.validity.not_before.to_unix_duration().as_secs(),
            not_after_unix_s: body.validity.not_after.to_unix_duration().as_secs(),
            names: names.collect(),
        })
    }

    /// Makes a new authority. Its name is new too, because certificates name the authority that
    /// signed them.
    pub(super) fn authority(
        cluster: &str,
        now_unix_s: u64,
        life_s: u64,
    ) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let name = format!("ironkv {cluster} {:08x}", rand::random::<u32>());
        let params = authority_params(&name, now_unix_s, life_s);
        let certificate = params.self_signed(&key)?.pem();
        Self::made(&certificate, &key)
    }

    /// Signs a new certificate for these names.
    pub(super) fn sign(
        &self,
        names: &[String],
        usages: &[ExtendedKeyUsagePurpose],
        now_unix_s: u64,
        life_s: u64,
    ) -> Result<Self, rcgen::Error> {
        let name = self.subject.trim_start_matches("CN=");
        let issuer = Issuer::new(authority_params(name, 0, 0), KeyPair::from_pem(&self.key)?);
        let mut params = CertificateParams::new(names.to_vec())?;
        set_validity(&mut params, now_unix_s, life_s);
        params.distinguished_name.remove(DnType::CommonName);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = usages.to_vec();
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Self::made(&certificate, &key)
    }

    fn made(certificate: &str, key: &KeyPair) -> Result<Self, rcgen::Error> {
        let pair = Self::parse(certificate, &key.serialize_pem());
        pair.ok_or(rcgen::Error::CouldNotParseCertificate)
    }

    /// Whether two thirds of its life time have passed, or it is not valid yet.
    pub(super) fn is_old(&self, now_unix_s: u64) -> bool {
        let life_s = self.not_after_unix_s.saturating_sub(self.not_before_unix_s);
        let old_from = self.not_before_unix_s + life_s / 3 * 2;
        now_unix_s >= old_from || now_unix_s < self.not_before_unix_s
    }

    /// Whether it is for exactly these names.
    pub(super) fn is_for(&self, names: &[String]) -> bool {
        self.names == names.iter().cloned().collect()
    }
}

fn authority_params(name: &str, now_unix_s: u64, life_s: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    set_validity(&mut params, now_unix_s, life_s);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn set_validity(params: &mut CertificateParams, now_unix_s: u64, life_s: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now_unix_s.saturating_sub(SKEW_S));
    params.not_after = epoch + Duration::from_secs(now_unix_s + life_s);
}

#![allow(clippy::unwrap_used)]

use super::*;

const NOW: u64 = 1_800_000_000;

fn hosts() -> Hosts {
    Hosts {
        cluster: "default/kv".to_owned(),
        peers: Some(vec!["*.kv-peers.default.svc".to_owned()]),
        clients: Some(vec!["kv.default.svc".to_owned()]),
    }
}

fn again(renewed: &Renewed, now_unix_s: u64) -> Renewed {
    let Renewed { authority, peers, clients } = renewed.clone();
    renew(&CertificateSecrets { authority, peers, clients }, &hosts(), now_unix_s).unwrap()
}

fn first() -> Renewed {
    renew(&CertificateSecrets::default(), &hosts(), NOW).unwrap()
}

fn peer(renewed: &Renewed) -> Pair {
    let data = renewed.peers.as_ref().unwrap();
    let text = |key: &str| String::from_utf8(data[key].clone()).unwrap();
    Pair::parse(&text("tls.crt"), &text("tls.key")).unwrap()
}

fn trusted(data: &Option<SecretData>) -> usize {
    let bundle = String::from_utf8(data.as_ref().unwrap()["ca.crt"].clone()).unwrap();
    bundle.matches("BEGIN CERTIFICATE").count()
}

#[test]
fn a_good_certificate_stays_byte_for_byte() {
    let made = first();
    assert_eq!(again(&made, NOW + 30 * DAY_S), made);
}

#[test]
fn the_members_certificate_is_signed_by_the_authority_and_names_them() {
    let made = first();
    let pair = peer(&made);
    assert!(pair.is_for(&["*.kv-peers.default.svc".to_owned()]) && !pair.is_authority);
    assert_eq!(trusted(&made.peers), 1);
    let bundle = made.peers.as_ref().unwrap()["ca.crt"].clone();
    let authority = Pair::parse(
        std::str::from_utf8(&bundle).unwrap(),
        std::str::from_utf8(&made.authority.as_ref().unwrap()["tls.key"]).unwrap(),
    );
    let authority = authority.unwrap();
    assert!(authority.is_authority);
    assert_eq!(pair.issuer, authority.subject);
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_life_by_the_same_authority() {
    let made = first();
    let renewed = again(&made, NOW + 61 * DAY_S);
    assert_ne!(peer(&renewed).certificate, peer(&made).certificate);
    assert_eq!(renewed.authority, made.authority);
}

#[test]
fn new_names_need_a_new_certificate() {
    let Renewed { authority, peers, clients } = first();
    let existing = CertificateSecrets { authority, peers: peers.clone(), clients: clients.clone() };
    let more = Hosts { clients: Some(vec!["other.svc".to_owned()]), ..hosts() };
    let renewed = renew(&existing, &more, NOW).unwrap();
    assert_eq!(renewed.peers, peers);
    assert_ne!(renewed.clients, clients);
}

#[test]
fn a_damaged_certificate_is_replaced() {
    let damages: [fn(&mut SecretData); 3] = [
        |data| drop(data.remove("tls.key")),
        |data| drop(data.insert("tls.crt".to_owned(), b"nonsense".to_vec())),
        |data| {
            let other = first().peers.unwrap();
            data.insert("tls.key".to_owned(), other["tls.key"].clone());
        },
    ];
    for damage in damages {
        let mut damaged = first();
        damage(damaged.peers.as_mut().unwrap());
        let mended = again(&damaged, NOW);
        assert_eq!(peer(&mended).issuer, peer(&again(&mended, NOW)).issuer);
        assert_eq!(mended.authority, damaged.authority);
    }
}

#[test]
fn an_old_authority_is_replaced_while_members_always_trust_each_other() {
    let old = first();
    let mut now = NOW + AUTHORITY_LIFE_S / 3 * 2;
    let prepared = again(&old, now);
    assert_eq!(trusted(&prepared.peers), 2, "the next one is trusted before it signs");
    assert_eq!(peer(&prepared).issuer, peer(&old).issuer);
    assert_eq!(again(&prepared, now + PROPAGATION_S - 1), prepared);

    now += PROPAGATION_S;
    let signing = again(&prepared, now);
    assert_ne!(peer(&signing).issuer, peer(&old).issuer);
    assert_eq!(trusted(&signing.peers), 2, "the old one is trusted while its work is shown");
    assert_eq!(again(&signing, now + PROPAGATION_S - 1), signing);

    let settled = again(&signing, now + PROPAGATION_S);
    assert_eq!(trusted(&settled.peers), 1);
    assert_eq!(peer(&settled).certificate, peer(&signing).certificate);
}

#[test]
fn no_certificate_is_made_for_plain_text() {
    let hosts = Hosts { peers: None, clients: None, ..hosts() };
    assert_eq!(renew(&CertificateSecrets::default(), &hosts, NOW).unwrap(), Renewed::default());
}

#[test]
fn certificates_of_a_lost_authority_are_trusted_until_they_are_replaced() {
    let mut lost = first();
    let before = peer(&lost).certificate;
    lost.authority = None;
    let renewed = again(&lost, NOW + 10);
    assert_ne!(peer(&renewed).certificate, before);
    assert_eq!(trusted(&renewed.peers), 2);
    assert_eq!(trusted(&again(&renewed, NOW + 10 + PROPAGATION_S).peers), 1);
}

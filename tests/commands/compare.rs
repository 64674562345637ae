//! Whether two replies are equal enough.

use std::mem::discriminant;

use ironkv_tests::clients::reply::Reply;

use crate::script::Likeness;

/// Whether `ours` is an acceptable reply where Redis replies `theirs`.
pub fn alike(likeness: &Likeness, theirs: &Reply, ours: &Reply) -> bool {
    match likeness {
        Likeness::Exact => theirs == ours,
        Likeness::AnyOrder => sorted(theirs) == sorted(ours),
        Likeness::Kind => same_kind(theirs, ours),
        Likeness::Works => !ours.is_error(),
        Likeness::Ignored => true,
        Likeness::Text(text) => text.split(" | ").any(|text| text == format!("{ours:?}")),
    }
}

fn sorted(reply: &Reply) -> Vec<String> {
    let pairs = matches!(reply, Reply::Map(_));
    let all = reply.elements().unwrap_or_default();
    let mut texts: Vec<String> =
        all.chunks(if pairs { 2 } else { 1 }).map(|chunk| format!("{chunk:?}")).collect();
    texts.sort();
    texts.push(format!("{:?}", discriminant(reply)));
    texts
}

fn same_kind(theirs: &Reply, ours: &Reply) -> bool {
    if discriminant(theirs) != discriminant(ours) {
        return false;
    }
    match (theirs.elements(), ours.elements()) {
        (Some(theirs), Some(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(a, b)| same_kind(a, b))
        }
        _ => !theirs.is_error() || theirs == ours,
    }
}

#[test]
fn each_likeness_is_exactly_as_strict_as_defined() {
    use bytes::Bytes;
    let bulk = |text: &'static str| Reply::Bulk(Bytes::from_static(text.as_bytes()));
    let (ab, ba) =
        (Reply::Array(vec![bulk("a"), bulk("b")]), Reply::Array(vec![bulk("b"), bulk("a")]));
    assert!(!alike(&Likeness::Exact, &ab, &ba));
    assert!(alike(&Likeness::AnyOrder, &ab, &ba));
    assert!(!alike(&Likeness::AnyOrder, &ab, &Reply::Array(vec![bulk("a"), bulk("a")])));
    assert!(!alike(&Likeness::AnyOrder, &ab, &Reply::Set(vec![bulk("a"), bulk("b")])));
    assert!(alike(&Likeness::Kind, &ab, &ba));
    assert!(!alike(&Likeness::Kind, &ab, &Reply::Array(vec![bulk("a")])));
    assert!(!alike(&Likeness::Kind, &Reply::Error("ERR a".into()), &Reply::Error("ERR b".into())));
    assert!(alike(&Likeness::Text("\"a\"".to_owned()), &bulk("b"), &bulk("a")));
}

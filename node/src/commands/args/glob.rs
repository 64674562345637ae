//! Patterns as arguments.

use crate::data::types::pattern::{Case, Pattern};
use crate::resp::ReplyError;

/// The pattern, or why it is refused.
pub(in crate::commands) fn glob(text: &[u8], case: Case) -> Result<Pattern, ReplyError> {
    Pattern::new(text, case).map_err(|error| ReplyError::new(format!("ERR {error}")))
}

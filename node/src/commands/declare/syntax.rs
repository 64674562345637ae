//! The syntax text of a command (`key value [NX | XX] [EX seconds]`) as a tree of arguments.
//!
//! Upper-case words are tokens, lower-case words values; `[…]` is optional, `|` separates
//! alternatives, `<…>` groups them, and `x [x ...]` means one or more.

/// One argument or group of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Lower case.
    pub name: String,
    /// The type of its value.
    pub kind: Kind,
    /// The keyword before the value, or the pure token itself.
    pub token: Option<String>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated with it.
    pub multiple_token: bool,
    /// Parts of a group.
    pub children: Vec<Self>,
}

/// The type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A key.
    Key,
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// A glob pattern.
    Pattern,
    /// A point in Unix time.
    UnixTime,
    /// A keyword without a value.
    PureToken,
    /// One of its children.
    OneOf,
    /// All of its children.
    Block,
}

impl Kind {
    /// Redis's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

/// The arguments of a syntax text, or the position of an error.
pub fn parse(syntax: &str) -> Result<Vec<Argument>, String> {
    let spaced = syntax
        .replace('[', " [ ")
        .replace(']', " ] ")
        .replace('<', " < ")
        .replace('>', " > ")
        .replace('|', " | ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let mut parser = Parser { words: &words, at: 0 };
    let arguments = parser.alternatives()?;
    match parser.words.get(parser.at) {
        None => Ok(arguments),
        Some(word) => Err(format!("unexpected '{word}' in '{syntax}'")),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }

    /// Sequences separated by `|`; a `OneOf` when there are several.
    fn alternatives(&mut self) -> Result<Vec<Argument>, String> {
        let mut choices = vec![self.sequence()?];
        while self.take("|") {
            choices.push(self.sequence()?);
        }
        if choices.len() == 1 {
            return Ok(choices.remove(0));
        }
        let children: Vec<Argument> = choices.into_iter().map(group).collect();
        Ok(vec![compound(Kind::OneOf, children)])
    }

    fn sequence(&mut self) -> Result<Vec<Argument>, String> {
        let mut items: Vec<Argument> = Vec::new();
        while let Some(word) = self.words.get(self.at).copied() {
            if matches!(word, "|" | "]" | ">") {
                break;
            }
            if word == "[" && self.repeats(&mut items) {
                continue;
            }
            if let ("...", Some(last)) = (word, items.last_mut()) {
                last.multiple = true;
                self.at += 1;
                continue;
            }
            items.push(self.item()?);
        }
        Ok(items)
    }

    /// `[x y ...]` after `x y` means that the two may be repeated.
    fn repeats(&mut self, items: &mut Vec<Argument>) -> bool {
        let inside = &self.words[self.at + 1..];
        let Some(dots) = inside.iter().position(|word| *word == "...") else { return false };
        let end = inside.iter().position(|word| *word == "]");
        if end != Some(dots + 1) {
            return false;
        }
        // A token is kept together with its value, so it is not a separate item.
        let values = inside[..dots].iter().filter(|word| !is_token(word)).count();
        let count = values.max(usize::from(dots > 0));
        let Some(start) = items.len().checked_sub(count) else { return false };
        let before: Vec<&str> = items[start..].iter().map(|item| item.name.as_str()).collect();
        let named: Vec<&str> =
            inside[..dots].iter().copied().filter(|word| !is_token(word)).collect();
        if before != named {
            return false;
        }
        let mut repeated = group(items.split_off(start));
        repeated.multiple = true;
        repeated.multiple_token = inside[..dots].iter().any(|word| is_token(word));
        items.push(repeated);
        self.at += dots + 3;
        true
    }

    fn item(&mut self) -> Result<Argument, String> {
        if self.take("[") {
            let inner = self.alternatives()?;
            if !self.take("]") {
                return Err(format!("missing ']' at word {}", self.at));
            }
            let mut item = group(inner);
            item.optional = true;
            return Ok(item);
        }
        if self.take("<") {
            let inner = self.alternatives()?;
            if !self.take(">") {
                return Err(format!("missing '>' at word {}", self.at));
            }
            return Ok(group(inner));
        }
        let word = self.words.get(self.at).copied().ok_or("ends too early")?;
        self.at += 1;
        if word == "..." {
            return Err("'...' without anything to repeat".to_owned());
        }
        if !is_token(word) {
            return Ok(value(word));
        }
        // A token followed by one value belongs to it: `EX seconds`.
        match self.words.get(self.at) {
            Some(next) if is_value(next) => {
                self.at += 1;
                Ok(Argument { token: Some(word.to_owned()), ..value(next) })
            }
            _ => Ok(Argument { token: Some(word.to_owned()), ..plain(word, Kind::PureToken) }),
        }
    }
}

fn is_token(word: &str) -> bool {
    !word.chars().any(|letter| letter.is_ascii_lowercase())
        && word.chars().any(|letter| letter.is_ascii_uppercase())
        || matches!(word, "=" | "~" | "*" | "$" | "\"\"")
}

fn is_value(word: &str) -> bool {
    word.chars().any(|letter| letter.is_ascii_lowercase())
}

fn plain(name: &str, kind: Kind) -> Argument {
    Argument {
        name: name.to_ascii_lowercase(),
        kind,
        token: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        children: Vec::new(),
    }
}

fn value(word: &str) -> Argument {
    let kind = match word {
        "key" | "source" | "destination" | "newkey" | "key1" | "key2" | "src" | "dst" => Kind::Key,
        "pattern" => Kind::Pattern,
        word if word.starts_with("unix-time") => Kind::UnixTime,
        "score" | "longitude" | "latitude" | "radius" => Kind::Double,
        "increment" | "weight" | "client-id" | "num-matches" | "seconds" | "milliseconds"
        | "count" | "offset" | "cursor" | "start" | "stop" | "end" | "index" | "numkeys"
        | "timeout" | "db" | "rank" | "len" | "limit" | "ttl" | "decrement" | "destination-db"
        | "slot" | "port" | "numreplicas" | "numlocal" | "frequency" | "index1" | "index2"
        | "node-id" | "version" | "protover" => Kind::Integer,
        _ => Kind::String,
    };
    plain(word, kind)
}

/// One argument alone, several as a block. A token before several belongs to all of them:
/// `LIMIT offset count`, `AGGREGATE <SUM | MIN>`.
fn group(mut items: Vec<Argument>) -> Argument {
    if items.len() == 1 {
        return items.remove(0);
    }
    let mut token = None;
    // Two consecutive words, as in `NO ONE`, remain two tokens.
    let of_all = items.iter().skip(1).all(|item| item.kind != Kind::PureToken || item.optional);
    if let Some(first) = items.first_mut().filter(|first| of_all && first.token.is_some()) {
        token = first.token.take();
        if first.kind == Kind::PureToken {
            items.remove(0);
        }
    }
    let named = token.as_ref().map(|token| token.to_ascii_lowercase());
    let item = if items.len() == 1 { items.remove(0) } else { compound(Kind::Block, items) };
    Argument { name: named.unwrap_or(item.name), token, ..item }
}

fn compound(kind: Kind, children: Vec<Argument>) -> Argument {
    let name = children.first().map(|child| child.name.clone()).unwrap_or_default();
    Argument { children, ..plain(&name, kind) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `name:kind`, the token before it, `?` for optional, `+` for multiple, children in brackets.
    fn show(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let token = argument.token.as_ref().map(|t| format!("{t}=")).unwrap_or_default();
            let marks = ["", "?"][usize::from(argument.optional)].to_owned()
                + ["", "+"][usize::from(argument.multiple)];
            let inner = if argument.children.is_empty() {
                String::new()
            } else {
                format!("({})", show(&argument.children))
            };
            format!("{token}{}:{}{marks}{inner}", argument.name, argument.kind.name())
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn check(syntax: &str, expected: &str) {
        assert_eq!(show(&parse(syntax).unwrap()), expected, "{syntax}");
    }

    #[test]
    fn a_syntax_is_parsed_to_a_tree() {
        check("", "");
        check("key value", "key:key value:string");
        check("key [key ...]", "key:key+");
        check("field value [field value ...]", "field:block+(field:string value:string)");
        check("[NX | XX]", "nx:oneof?(NX=nx:pure-token XX=xx:pure-token)");
        check(
            "[EX seconds | PXAT unix-time-milliseconds | KEEPTTL]",
            "seconds:oneof?(EX=seconds:integer \
             PXAT=unix-time-milliseconds:unix-time KEEPTTL=keepttl:pure-token)",
        );
        check("[LIMIT offset count]", "LIMIT=limit:block?(offset:integer count:integer)");
        check(
            "[AGGREGATE <SUM | MIN>]",
            "AGGREGATE=aggregate:oneof?(SUM=sum:pure-token MIN=min:pure-token)",
        );
        check(
            "<LEFT | RIGHT> [COUNT count]",
            "left:oneof(LEFT=left:pure-token \
             RIGHT=right:pure-token) COUNT=count:integer?",
        );
        check("[section [section ...]]", "section:string?+");
    }

    #[test]
    fn nonsense_is_refused() {
        for syntax in ["[key", "key ]", "...", "<A | B"] {
            assert!(parse(syntax).is_err(), "{syntax}");
        }
    }
}

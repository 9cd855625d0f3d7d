//! What is most likely a slip in an expression that compiles: it would only be missing, or empty.

use minijinja::machinery::Token;

use super::Fault;
use super::request::MEMBERS;
use crate::spelling::suggest;

/// What was noticed while compiling.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What is most likely not meant.
    pub slips: Vec<Fault>,
    /// Topics that are named in `topic('…')`.
    pub topics: Vec<String>,
}

impl Remarks {
    /// Looks through the words and signs of a source. `functions` are those that are used, `names` what is in scope beside them.
    pub(super) fn note(&mut self, tokens: &[Token], functions: &[String], names: &[String]) {
        for (i, token) in tokens.iter().enumerate() {
            let Token::Ident(word) = token else { continue };
            let before = i.checked_sub(1).and_then(|before| tokens.get(before));
            if matches!(before, Some(Token::Dot | Token::Pipe | Token::Ident("is")))
                || names.iter().any(|n| n == word)
            {
                continue;
            }
            match (*word, &tokens[i + 1..]) {
                (
                    "request",
                    [Token::Dot, Token::Ident(member), ..] | [Token::BracketOpen, Token::Str(member), ..],
                ) => {
                    self.member(member);
                }
                ("topic", [Token::ParenOpen, Token::Str(name), Token::ParenClose, ..]) => {
                    self.topics.push((*name).to_owned());
                }
                (word, rest) if functions.iter().any(|f| f == word) => self.function(word, rest),
                _ => {}
            }
        }
    }

    fn member(&mut self, member: &str) {
        if !MEMBERS.contains(&member) {
            self.slips.push(Fault {
                message: format!(
                    "`request` has no `{}`: this is always missing",
                    super::excerpt(member)
                ),
                hint: Some(suggest(member, MEMBERS)),
                word: member.to_owned(),
            });
        }
    }

    /// A function that is printed, or compared, instead of called.
    fn function(&mut self, name: &str, rest: &[Token]) {
        // `range=1` names an argument, `range: 1` is a key by that name, which is not quoted.
        if !matches!(rest.first(), Some(Token::ParenOpen | Token::Assign)) {
            self.slips.push(Fault {
                message: format!("`{name}` is a function, and is not called here"),
                hint: Some(format!("did you mean `{name}()`?")),
                word: name.to_owned(),
            });
        }
    }
}

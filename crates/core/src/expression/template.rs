//! Templates: strings with `${…}` in them, split into text and expressions.

use crate::expression::{Code, ExpressionError, Use};
use crate::value::TemplateText;

/// A string with expressions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    /// The parts, in order.
    pub(crate) parts: Vec<Part>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Literal text.
    Text(String),
    /// An expression.
    Code(Code),
}

impl Template {
    /// Parses a string; none when it contains nothing to evaluate or unescape.
    pub(crate) fn parse(text: &str) -> Result<Option<Template>, ExpressionError> {
        if !text.contains("${") {
            return Ok(None);
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, found) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = &found[2..];
                continue;
            }
            literal.push_str(before);
            let code = &found[2..];
            let end = end(code).ok_or_else(|| {
                ExpressionError::new("this `${` has no closing `}`", found)
                    .help("add the `}`; for a literal `${`, write `$${`")
            })?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Code(Code::parse(code[..end].trim())?));
            rest = &code[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Some(Template { parts }))
    }

    /// Returns the template of a deferred value. A text is parsed once, and never again.
    pub(crate) fn of(text: &TemplateText) -> Result<&Template, ExpressionError> {
        let parsed = text.parsed(|text| Template::parse(text).map(Option::unwrap_or_default));
        match parsed {
            Some(parsed) => parsed.as_ref().map_err(Clone::clone),
            None => Err(ExpressionError::new("this is not a template", text)),
        }
    }

    /// Returns the expression when the string consists of nothing else.
    pub(crate) fn single(&self) -> Option<&Code> {
        match self.parts.as_slice() {
            [Part::Code(code)] => Some(code),
            _ => None,
        }
    }

    /// Returns all expressions of the template.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &Code> {
        self.parts.iter().filter_map(|part| match part {
            Part::Code(code) => Some(code),
            Part::Text(_) => None,
        })
    }

    /// Returns all names that the expressions read.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &Use> {
        self.codes().flat_map(|code| &code.uses)
    }
}

/// Returns the position of the `}` that ends an expression. Braces nest, and braces in strings do not count.
fn end(code: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in code.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' => quote = Some(c),
                '{' => depth += 1,
                '}' if depth == 0 => return Some(at),
                '}' => depth -= 1,
                _ => {}
            },
        }
    }
    None
}

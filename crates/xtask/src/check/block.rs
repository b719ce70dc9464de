//! Blocks of prose: one comment, one paragraph, one cell of a table. A sentence never reaches from one into another.

/// Consecutive lines of prose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    /// The number of each line in its file, from 1, and its text without the marks of a comment.
    pub(crate) lines: Vec<(usize, String)>,
    /// True for a cell of the header row of a table.
    pub(crate) is_header: bool,
}

/// A sentence, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Block {
    /// A block of one line.
    pub(crate) fn of(line: usize, text: &str) -> Block {
        Block { lines: vec![(line, text.to_owned())], is_header: false }
    }

    /// The lines, joined by spaces.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The line of a place in [`Block::text`].
    pub(crate) fn line_at(&self, offset: usize) -> usize {
        let mut end = 0;
        let mut found = self.lines.first().map_or(0, |(line, _)| *line);
        for (line, text) in &self.lines {
            found = *line;
            end += text.len() + 1;
            if offset < end {
                break;
            }
        }
        found
    }

    /// The sentences: the text is split at white space behind a full stop, an exclamation mark or a question mark.
    pub(crate) fn sentences(&self) -> Vec<Sentence> {
        let text = self.text();
        let mut sentences = vec![];
        let mut start = 0;
        let mut before = ' ';
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            if letter.is_whitespace() && matches!(before, '.' | '!' | '?') {
                self.push_sentence(&text, start, at, &mut sentences);
                while letters.next_if(|(_, next)| next.is_whitespace()).is_some() {}
                start = letters.peek().map_or(text.len(), |(next, _)| *next);
            }
            before = letter;
        }
        self.push_sentence(&text, start, text.len(), &mut sentences);
        sentences
    }

    fn push_sentence(&self, text: &str, start: usize, end: usize, sentences: &mut Vec<Sentence>) {
        let part = &text[start..end];
        let begin = start + (part.len() - part.trim_start().len());
        sentences.push(Sentence { line: self.line_at(begin), text: part.trim().to_owned() });
    }
}

/// Collects lines into blocks.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    done: Vec<Block>,
    open: Block,
}

impl Blocks {
    /// Adds a line to the open block.
    pub(crate) fn line(&mut self, line: usize, text: &str) {
        self.open.lines.push((line, text.trim().to_owned()));
    }

    /// Ends the open block.
    pub(crate) fn end(&mut self) {
        if !self.open.lines.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
    }

    /// Adds a block of its own.
    pub(crate) fn single(&mut self, block: Block) {
        self.end();
        self.done.push(block);
    }

    /// All blocks.
    pub(crate) fn finish(mut self) -> Vec<Block> {
        self.end();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_knows_its_line() {
        let block = Block {
            lines: vec![
                (7, "One. Two goes".into()),
                (8, "on.  Three".into()),
                (9, String::new()),
                (10, "ends! Four?".into()),
            ],
            is_header: false,
        };
        let found: Vec<(usize, String)> = block.sentences().into_iter().map(|s| (s.line, s.text)).collect();
        let expected = [(7, "One."), (7, "Two goes on."), (8, "Three  ends!"), (10, "Four?")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }
}

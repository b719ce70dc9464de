//! Load: parses files into declarations and reports every error with its location. The caller reads the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Location, suggest, words};
use crate::schema::Registry;

pub(crate) mod file;
pub mod node;
pub(crate) mod reader;
mod yaml;

use file::{Body, Environment, Stack};
use node::Node;
use reader::Reader;

/// The maximum nesting of components that use components. No sensible library is deeper, and a runaway one is refused.
const DEPTH: usize = 8;

/// The maximum size of one file in bytes. The largest file of the five systems has 30 KB; a stack of 10,000 resources
/// has about 2 MB.
pub const FILE_BYTES: usize = 4 * 1024 * 1024;

/// The maximum size of all files of a document in bytes.
const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// The types that a parameter can have, as a document writes them.
pub const PARAMETER_TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "list", "map"];

/// A source of files. Paths use `/` and are relative to a folder that the source chooses.
pub trait FileSource {
    /// Returns the text of a file of at most [`FILE_BYTES`].
    ///
    /// # Errors
    /// When the file cannot be read, or may not be read for this document. The error is the reason, for people, and has
    /// no part of the file.
    fn read(&self, path: &str) -> Result<String, String>;

    /// Checks whether a document may read the file.
    ///
    /// # Errors
    /// When it may not. The error is the reason, for people.
    fn permit(&self, _path: &str) -> Result<(), String> {
        Ok(())
    }

    /// True when the path is a folder.
    fn is_dir(&self, path: &str) -> bool;

    /// Returns the names of the files in a folder, without the folder's path; none when the folder does not exist.
    fn list(&self, folder: &str) -> Vec<String>;
}

/// Files in memory, by path: for tests, and for documents that are received over a network.
#[derive(Clone, Debug, Default)]
pub struct InMemoryFiles(pub BTreeMap<String, String>);

impl FileSource for InMemoryFiles {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn is_dir(&self, path: &str) -> bool {
        path == "." || self.0.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        let names = self.0.keys().filter_map(|file| file.strip_prefix(&prefix));
        names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
    }
}

/// The document to load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The path of a folder that contains `stack.yaml`, or of that file.
    pub path: &'a str,
    /// The environment's name; empty for none, which works only for a stack without required parameters.
    pub env: &'a str,
    /// Parameters from the command line, which override the environment's: names, and values in YAML.
    pub set: &'a [(String, String)],
    /// The repository or bucket that the document comes from.
    pub source: &'a str,
}

/// The parsed files of a document, not yet rendered.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The paths of all files that were requested: a change of one can change the document.
    pub files: BTreeSet<String>,
    /// The first file that may be cut short.
    pub(crate) incomplete: Option<String>,
    pub(crate) stack: Stack,
    pub(crate) env: String,
    pub(crate) environment_file: String,
    pub(crate) environment: Environment,
    pub(crate) components: BTreeMap<Arc<str>, Arc<Body>>,
    /// Parameters from the command line: names and values.
    pub(crate) set: Vec<(String, Node)>,
    pub(crate) source: String,
    /// The errors so far, and the texts of all files.
    pub(crate) out: Diagnostics,
}

/// Loads a stack, one of its environments and all components.
///
/// # Errors
/// When the files are invalid: all errors of loading. [`crate::render::render`] returns the errors of rendering.
pub fn load(source: &dyn FileSource, request: &Request<'_>, registry: &Registry) -> Result<Loaded, Diagnostics> {
    let loaded = load_all(source, request, registry)?;
    if loaded.out.is_empty() { Ok(loaded) } else { Err(loaded.out) }
}

/// Returns the names of the environments of a stack, sorted.
pub fn environments(source: &dyn FileSource, path: &str) -> Vec<String> {
    let folder = join(&stack_file(source, path), "environments");
    let files = source.list(&folder);
    let mut names: Vec<String> =
        files.iter().filter_map(|name| name.strip_suffix(".yaml")).map(str::to_owned).collect();
    names.sort();
    names
}

/// Loads like [`load`], but continues after an error where possible, so that rendering can report its errors too.
pub(crate) fn load_all(
    source: &dyn FileSource,
    request: &Request<'_>,
    registry: &Registry,
) -> Result<Loaded, Diagnostics> {
    let file = stack_file(source, request.path);
    let mut loader = Loader {
        source,
        registry,
        out: Diagnostics::default(),
        stack_file: file.clone(),
        files: BTreeSet::new(),
        bytes: 0,
        incomplete: None,
        components: BTreeMap::new(),
    };
    let Some(root) = loader.read(&file, None) else {
        return Err(loader.out);
    };
    let mut stack = Reader { out: &mut loader.out }.stack(&root, registry);
    loader.follow(&mut stack.body, &file, &mut vec![file.clone()]);
    let environment = loader.environment(&file, request, &stack.name);
    let mut set = Vec::new();
    for (name, text) in request.set {
        let is_text = stack.body.parameters.iter().any(|p| p.name == *name && p.ty == file::Kind::Text);
        match yaml::argument(text, is_text, "--set") {
            Ok(node) => set.push((name.clone(), node)),
            Err(message) => {
                loader.out.push(Diagnostic::new(&Location::file("--set"), format!("`{name}`: {message}")));
            }
        }
    }
    Ok(Loaded {
        files: loader.files,
        incomplete: loader.incomplete,
        stack,
        env: request.env.to_owned(),
        environment_file: join(&file, &format!("environments/{}.yaml", request.env)),
        environment,
        components: loader.components,
        set,
        source: request.source.to_owned(),
        out: loader.out,
    })
}

struct Loader<'s> {
    source: &'s dyn FileSource,
    registry: &'s Registry,
    out: Diagnostics,
    stack_file: String,
    files: BTreeSet<String>,
    /// The size of all files so far.
    bytes: usize,
    incomplete: Option<String>,
    components: BTreeMap<Arc<str>, Arc<Body>>,
}

impl Loader<'_> {
    /// Reads and parses a file; `at` is the location of the path in the file that names it.
    fn read(&mut self, file: &str, at: Option<&Location>) -> Option<Node> {
        self.files.insert(file.to_owned());
        match self.source.read(file) {
            Ok(text) => self.parse(file, &text, at),
            Err(reason) => {
                let whole = Location::file(file);
                let help = match at {
                    Some(_) => "the path is relative to the file that it is written in",
                    None => "pass the path of a folder that contains `stack.yaml`, or of that file",
                };
                let message = format!("`{file}` cannot be read: {reason}");
                self.out.push(Diagnostic::new(at.unwrap_or(&whole), message).help(help));
                None
            }
        }
    }

    /// Parses a file. The error about a file that is not a document has no part of the file, which may be a secret.
    fn parse(&mut self, file: &str, text: &str, at: Option<&Location>) -> Option<Node> {
        let whole = Location::file(file);
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > DOCUMENT_BYTES {
            let message = format!("the files of this document have more than {} MiB", DOCUMENT_BYTES / (1024 * 1024));
            self.out.push(Diagnostic::new(at.unwrap_or(&whole), message).help("split it into several stacks"));
            return None;
        }
        if file != self.stack_file && !text.trim().is_empty() && !text.contains("holdfast/v") {
            let message = format!("`{file}` is not a document: it has no `apiVersion: holdfast/v1`");
            let help = "name a file that begins with `apiVersion: holdfast/v1`";
            self.out.push(Diagnostic::new(at.unwrap_or(&whole), message).help(help));
            return None;
        }
        if may_be_cut(text) && self.incomplete.is_none() {
            self.incomplete = Some(file.to_owned());
        }
        yaml::parse(file, text, &mut self.out)
    }

    fn environment(&mut self, stack_file: &str, request: &Request<'_>, stack: &str) -> Environment {
        let env = request.env;
        if env.is_empty() {
            return Environment::default();
        }
        let names = environments(self.source, request.path);
        let file = join(stack_file, &format!("environments/{env}.yaml"));
        if !names.iter().any(|name| name == env) {
            self.files.insert(file.clone());
            let help = suggest(env, names.iter().map(String::as_str)).unwrap_or_else(|| match names.is_empty() {
                true => format!("create the file `{file}`"),
                false => format!("the environments of this stack are {}", words(&names)),
            });
            self.out
                .push(Diagnostic::new(&Location::file(&file), format!("there is no environment `{env}`")).help(help));
            return Environment::default();
        }
        match self.read(&file, None) {
            Some(root) => Reader { out: &mut self.out }.environment(&root, env, stack),
            None => Environment::default(),
        }
    }

    /// Loads the components that a body uses; `chain` lists the files from the stack to this one.
    fn follow(&mut self, body: &mut Body, file: &str, chain: &mut Vec<String>) {
        for used in &mut body.uses {
            let Some((from, at)) = &used.from else { continue };
            let target = join(file, from);
            if let Some(first) = chain.iter().position(|link| *link == target) {
                let links: Vec<&str> = chain[first..].iter().map(String::as_str).chain([target.as_str()]).collect();
                let message = format!("components use each other in a cycle: {}", links.join(" → "));
                self.out.push(Diagnostic::new(at, message).help("move the shared part into a third component"));
                continue;
            }
            if chain.len() > DEPTH {
                let message = format!("components are nested more than {DEPTH} levels deep");
                self.out.push(Diagnostic::new(at, message).help(format!("the chain is {}", chain.join(" → "))));
                continue;
            }
            let target: Arc<str> = target.into();
            if !self.components.contains_key(&target) {
                let Some(root) = self.read(&target, Some(at)) else { continue };
                let mut inner = Reader { out: &mut self.out }.component(&root, self.registry);
                chain.push(target.to_string());
                self.follow(&mut inner, &target, chain);
                chain.pop();
                self.components.insert(target.clone(), Arc::new(inner));
            }
            used.file = Some(target);
        }
    }
}

fn stack_file(source: &dyn FileSource, path: &str) -> String {
    let path = if path.is_empty() { "." } else { path.trim_end_matches('/') };
    match source.is_dir(path) {
        true if path == "." => "stack.yaml".into(),
        true => format!("{path}/stack.yaml"),
        false => path.to_owned(),
    }
}

/// Returns `path` relative to the folder of `file`, with `.` and `..` resolved.
fn join(file: &str, path: &str) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let absolute = path.starts_with('/') || (file.starts_with('/') && !path.starts_with('/'));
    let steps = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut kept: Vec<&str> = Vec::new();
    for step in steps.split('/') {
        match step {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            step => kept.push(step),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, kept.join("/"))
}

/// True when a file may be cut short: its last line has no end. A document in JSON is complete with its last brace.
fn may_be_cut(text: &str) -> bool {
    let is_json = text.trim_start().starts_with('{') && text.ends_with('}');
    !is_json && !text.ends_with('\n')
}

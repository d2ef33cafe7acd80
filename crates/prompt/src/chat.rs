//! A model's chat template: the text around the task and the data of a prompt.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};

use crate::PromptError;

const CONFIG: &str = "tokenizer_config.json";
const FILE: &str = "chat_template.jinja";
/// Stands for the data while the template is rendered. Of the private use area, so that no template has it.
const DATA: &str = "\u{e000}data\u{e000}";

/// A Jinja template that turns messages into the text that an instruct model was trained on.
///
/// It sees what transformers gives to it (messages, `add_generation_prompt`, the special tokens by name) but for a
/// clock: a template that dates its prompt by `strftime_now` takes its own default date.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatTemplate {
    path: PathBuf,
    source: String,
    /// `bos_token` and the like.
    tokens: BTreeMap<String, String>,
}

/// The text around the data of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surroundings {
    /// Up to the data: special tokens and the task.
    pub before: String,
    /// After the data: end of the turn, generation prompt.
    pub after: String,
}

impl ChatTemplate {
    /// Names of the files of a model folder that it is read from, those that are there.
    pub fn files(dir: &Path) -> Vec<&'static str> {
        [CONFIG, FILE].into_iter().filter(|name| dir.join(name).is_file()).collect()
    }

    /// Reads `chat_template.jinja` of a model folder, else `chat_template` of its `tokenizer_config.json`: a text, or
    /// a list of named texts, of which `default` is taken.
    ///
    /// # Errors
    /// When there is none, or a file cannot be read.
    pub fn from_dir(dir: &Path) -> Result<Self, PromptError> {
        let path = dir.join(CONFIG);
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| error(path, e.to_string()));
        let config: serde_json::Value =
            serde_json::from_str(&read(&path)?).map_err(|e| error(&path, e.to_string()))?;
        let file = dir.join(FILE);
        let (path, source) = if file.is_file() {
            let source = read(&file)?;
            (file, source)
        } else {
            let source = named_default(&config["chat_template"]);
            let source = source.ok_or_else(|| {
                let expected = "expected a template, or a list of templates with one named \"default\"";
                error(&path, format!("{expected}, found {}", kind_of(&config["chat_template"])))
            })?;
            (path, source.to_owned())
        };
        Ok(Self { path, source, tokens: special_tokens(&config) })
    }

    /// Renders one exchange: `task` as the system message where the template shows one, else at the beginning of the
    /// user's message, the data as the user's message, and the generation prompt.
    ///
    /// # Errors
    /// When the template is wrong or does not show the user's message as it is.
    pub(crate) fn around(&self, task: &str) -> Result<Surroundings, PromptError> {
        let system = task.trim_end();
        let separate = self.render(&[("system", system), ("user", DATA)]);
        if let Ok(text) = &separate
            && let Some((before, after)) = text.split_once(DATA)
            && before.contains(system)
        {
            return self.checked(before, after);
        }
        let text = self
            .render(&[("user", &format!("{task}{DATA}"))])
            .map_err(|e| error(&self.path, e.to_string()))?;
        match text.split_once(DATA) {
            Some((before, after)) if before.contains(task) => self.checked(before, after),
            _ => Err(error(
                &self.path,
                "expected a template that shows the user's message as it is".to_owned(),
            )),
        }
    }

    fn checked(&self, before: &str, after: &str) -> Result<Surroundings, PromptError> {
        if after.contains(DATA) {
            return Err(error(
                &self.path,
                "expected a template that shows the user's message once".to_owned(),
            ));
        }
        Ok(Surroundings { before: before.to_owned(), after: after.to_owned() })
    }

    fn render(&self, messages: &[(&str, &str)]) -> Result<String, Error> {
        let mut environment = Environment::new();
        // As transformers sets Jinja up.
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        let message = |(role, content): &(&str, &str)| {
            let field = |name: &str, text: &str| (name.to_owned(), Value::from(text));
            Value::from(BTreeMap::from([field("role", role), field("content", content)]))
        };
        let tokens = self.tokens.iter().map(|(name, text)| (name.clone(), Value::from(text)));
        let mut context: BTreeMap<String, Value> = tokens.collect();
        context.insert("messages".to_owned(), messages.iter().map(message).collect());
        context.insert("add_generation_prompt".to_owned(), true.into());
        environment.render_str(&self.source, Value::from(context))
    }
}

/// The template, or the one of a list that is named `default`.
fn named_default(value: &serde_json::Value) -> Option<&str> {
    let list = || value.as_array()?.iter().find(|t| t["name"] == "default")?["template"].as_str();
    value.as_str().or_else(list)
}

/// `bos_token` and the like; a token is its text or a table that holds it as `content`.
fn special_tokens(config: &serde_json::Value) -> BTreeMap<String, String> {
    let fields = config.as_object().into_iter().flatten();
    let token = |(name, value): (&String, &serde_json::Value)| {
        let text = value.as_str().or_else(|| value["content"].as_str())?;
        name.ends_with("_token").then(|| (name.clone(), text.to_owned()))
    };
    fields.filter_map(token).collect()
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "nothing",
        serde_json::Value::Array(_) => "a list without it",
        _ => "something else",
    }
}

fn error(path: &Path, problem: String) -> PromptError {
    PromptError::ChatTemplate { path: path.to_owned(), problem }
}

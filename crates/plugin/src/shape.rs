//! Reads the parts of JSON Schema that `schemars` derives from parameter structs.

use serde_json::{Map, Value};

/// A schema inside its document, to which `$ref`s are relative.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    root: &'a Value,
    schema: &'a Value,
}

/// What an object may hold.
pub(crate) struct Shape<'a> {
    /// Known keys in declaration order.
    pub properties: Vec<(&'a str, Node<'a>)>,
    /// Keys that must be present.
    pub required: Vec<&'a str>,
    /// What an unknown key may hold; `None`: it may not exist.
    pub additional: Option<Node<'a>>,
    /// Whether `properties` depend on which alternative of a tagged enum the value is.
    pub chosen: bool,
}

impl<'a> Shape<'a> {
    /// The schema of a known key.
    pub fn property(&self, key: &str) -> Option<Node<'a>> {
        self.properties.iter().find(|(k, _)| *k == key).map(|(_, node)| *node)
    }
}

impl<'a> Node<'a> {
    pub fn root(root: &'a Value) -> Self {
        Self { root, schema: root }.resolved()
    }

    fn at(self, schema: &'a Value) -> Self {
        Self { root: self.root, schema }.resolved()
    }

    fn resolved(mut self) -> Self {
        // A chain of references is as long as the document at most; the bound ends cycles.
        for _ in 0..64 {
            let target = self.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
            match target.and_then(|pointer| self.root.pointer(pointer)) {
                Some(schema) => self.schema = schema,
                None => break,
            }
        }
        self
    }

    /// A keyword of the schema.
    pub fn get(&self, keyword: &str) -> Option<&'a Value> {
        self.schema.get(keyword)
    }

    pub fn str(&self, keyword: &str) -> Option<&'a str> {
        self.get(keyword).and_then(Value::as_str)
    }

    pub fn child(&self, keyword: &str) -> Option<Node<'a>> {
        self.get(keyword).map(|s| self.at(s))
    }

    fn children(&self, keyword: &str) -> Vec<Node<'a>> {
        self.get(keyword).and_then(Value::as_array).into_iter().flatten().map(|s| self.at(s)).collect()
    }

    /// Schemas of the first items of a list, where they differ by position.
    pub fn prefix_items(&self) -> Vec<Node<'a>> {
        self.children("prefixItems")
    }

    /// Subschemas that hold together with this one.
    pub fn all_of(&self) -> Vec<Node<'a>> {
        self.children("allOf")
    }

    /// The named types, without `null`; empty when any type will do.
    pub fn types(&self) -> Vec<&'a str> {
        match self.get("type") {
            Some(Value::String(t)) if t != "null" => vec![t],
            Some(Value::Array(types)) => {
                types.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect()
            }
            _ => Vec::new(),
        }
    }

    pub fn has_type(&self, name: &str) -> bool {
        self.types().contains(&name)
    }

    fn is_null(&self) -> bool {
        self.str("type") == Some("null") || self.get("const").is_some_and(Value::is_null)
    }

    /// Whether the value may be absent in the sense of `Option`.
    pub fn allows_null(&self) -> bool {
        let listed = |k| self.get(k).and_then(Value::as_array).is_some_and(|v| v.iter().any(Value::is_null));
        let typed = self.get("type").and_then(Value::as_array);
        self.is_null()
            || listed("enum")
            || typed.is_some_and(|t| t.iter().any(|t| t == "null"))
            || self.raw_alternatives().iter().any(Node::allows_null)
            || self.accepts_anything()
    }

    /// Whether `value` says that an optional key has no value.
    pub fn says_none(&self, value: &Value) -> bool {
        let is_choice = || self.choices().is_some_and(|c| c.iter().any(|(c, _)| *c == value));
        value == crate::text::NONE && !self.accepts_anything() && self.allows_null() && !is_choice()
    }

    pub fn accepts_anything(&self) -> bool {
        let constraints = ["type", "enum", "const", "oneOf", "anyOf", "allOf", "properties"];
        self.schema != &Value::Bool(false) && constraints.iter().all(|k| self.get(k).is_none())
    }

    fn raw_alternatives(&self) -> Vec<Node<'a>> {
        let mut all = self.children("oneOf");
        all.extend(self.children("anyOf"));
        all
    }

    /// Alternatives of `oneOf` and `anyOf`, without `null`.
    pub fn alternatives(&self) -> Vec<Node<'a>> {
        self.raw_alternatives().into_iter().filter(|a| !a.is_null()).collect()
    }

    /// The only values accepted, each with its description, when the schema is an enumeration.
    pub fn choices(&self) -> Option<Vec<(&'a Value, Option<&'a str>)>> {
        if let Some(value) = self.get("const") {
            return Some(vec![(value, self.str("description"))]);
        }
        if let Some(values) = self.get("enum").and_then(Value::as_array) {
            return Some(values.iter().filter(|v| !v.is_null()).map(|v| (v, None)).collect());
        }
        let alternatives = self.alternatives();
        if alternatives.is_empty() {
            return None;
        }
        let lists: Option<Vec<_>> = alternatives.iter().map(Node::choices).collect();
        lists.map(|l| l.into_iter().flatten().collect())
    }

    /// The one that `value` is meant to be: of a tagged enum by its tag, else the first of the value's type, else
    /// the first.
    pub fn choose(&self, value: &Value) -> Option<Node<'a>> {
        let alternatives = self.alternatives();
        let tagged =
            alternatives.iter().find(|a| a.tag().is_some_and(|(tag, name)| value.get(tag) == Some(name)));
        let typed = alternatives.iter().find(|a| a.fits_type(value));
        tagged.or(typed).or(alternatives.first()).copied()
    }

    /// The property with a fixed value that tells a tagged alternative from the others.
    pub fn tag(&self) -> Option<(&'a str, &'a Value)> {
        let properties = self.get("properties")?.as_object()?;
        properties.iter().find_map(|(k, p)| Some((k.as_str(), p.get("const")?)))
    }

    /// Whether the JSON type of `value` is one of the schema's.
    pub fn fits_type(&self, value: &Value) -> bool {
        if let Some(choices) = self.choices() {
            return choices.iter().any(|(c, _)| std::mem::discriminant(*c) == std::mem::discriminant(value));
        }
        let types = self.types();
        types.is_empty() || types.iter().any(|t| is_of_type(value, t))
    }

    /// Whether a value is a table with known keys.
    pub fn is_table(&self) -> bool {
        self.has_type("object") || self.get("properties").is_some()
    }

    /// What the object `value` may hold under this schema.
    pub fn shape(&self, value: &Map<String, Value>) -> Shape<'a> {
        let mut shape =
            Shape { properties: Vec::new(), required: Vec::new(), additional: None, chosen: false };
        self.collect(value, &mut shape);
        shape
    }

    fn collect(&self, value: &Map<String, Value>, shape: &mut Shape<'a>) {
        let properties = self.get("properties").and_then(Value::as_object);
        for (key, schema) in properties.into_iter().flatten() {
            shape.properties.retain(|(k, _)| k != key);
            shape.properties.push((key, self.at(schema)));
        }
        let required = self.get("required").and_then(Value::as_array);
        shape.required.extend(required.into_iter().flatten().filter_map(Value::as_str));
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            // Without the keyword an object is closed: a misspelt key that silently runs the default is worse than
            // a schema that has to say that it takes any key.
            match self.child(keyword) {
                Some(node) if node.schema != &Value::Bool(false) => shape.additional = Some(node),
                _ => {}
            }
        }
        for part in self.all_of() {
            part.collect(value, shape);
        }
        if let Some(chosen) = self.choose(&Value::Object(value.clone())) {
            shape.chosen |= self.alternatives().len() > 1;
            chosen.collect(value, shape);
        }
    }

    /// Every property below this schema in any alternative, with its dotted key.
    pub fn walk(&self, prefix: &str, visit: &mut dyn FnMut(&str, Node<'a>)) {
        // Recursive types would not end; parameters are never this deep.
        if prefix.split('.').count() > 16 {
            return;
        }
        let properties = self.get("properties").and_then(Value::as_object);
        for (key, schema) in properties.into_iter().flatten() {
            let (key, node) = (join(prefix, key), self.at(schema));
            visit(&key, node);
            node.walk(&key, visit);
        }
        for part in self.all_of().into_iter().chain(self.alternatives()) {
            part.walk(prefix, visit);
        }
    }

    pub fn schema(&self) -> &'a Value {
        self.schema
    }
}

/// Whether `value` is of the JSON Schema type `name`. A whole number is a number; `3.0` is not an integer.
pub(crate) fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// `a` and `b` as one dotted key. A part that is no bare TOML key is quoted.
pub(crate) fn join(prefix: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare { key.to_owned() } else { Value::from(key).to_string() };
    if prefix.is_empty() { key } else { format!("{prefix}.{key}") }
}

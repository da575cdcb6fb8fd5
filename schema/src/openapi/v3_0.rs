//! The same document in OpenAPI 3.0.3, for tools that do not know 3.1.

use serde_json::{Map, Value as Json, json};

/// Says an OpenAPI 3.1 document in the words of 3.0.3: `nullable` for what can be null, references alone, and no
/// keyword that came with 3.1.
pub fn to_3_0(mut document: Json) -> Json {
    walk(&mut document);
    document["openapi"] = json!("3.0.3");
    if let Some(license) = document.pointer_mut("/info/license").and_then(Json::as_object_mut) {
        license.remove("identifier");
    }
    document
}

fn walk(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(walk),
        Json::Object(object) => {
            object.values_mut().for_each(walk);
            if let Some(word) = object.shift_remove("const") {
                object.insert("enum".to_owned(), json!([word]));
            }
            if null_of_types(object) | null_of_members(object) {
                object.insert("nullable".to_owned(), json!(true));
            }
        }
        _ => {}
    }
}

/// `type: [string, null]`
fn null_of_types(object: &mut Map<String, Json>) -> bool {
    let Some(Json::Array(types)) = object.get_mut("type") else { return false };
    types.retain(|ty| ty != "null");
    if let [one] = types.as_mut_slice() {
        let one = one.take();
        object.insert("type".to_owned(), one);
    }
    true
}

/// `anyOf: [a schema, {type: null}]`
fn null_of_members(object: &mut Map<String, Json>) -> bool {
    let Some(Json::Array(members)) = object.get_mut("anyOf") else { return false };
    let all = members.len();
    members.retain(|member| member["type"] != "null");
    if members.len() == all {
        return false;
    }
    if members.len() == 1
        && let Some(only) = object.remove("anyOf").and_then(|mut members| members.get_mut(0).map(Json::take))
    {
        match only {
            // a reference has no room for nullable beside it
            Json::Object(only) if !only.contains_key("$ref") => object.extend(only),
            only => {
                object.insert("allOf".to_owned(), json!([only]));
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::to_3_0;
    use serde_json::json;

    #[test]
    fn null_is_said_as_nullable() {
        let schemas = json!({
            "text": { "type": ["string", "null"] },
            "word": { "anyOf": [{ "$ref": "#/components/schemas/Word" }, { "type": "null" }], "default": "a" },
            "list": { "anyOf": [{ "type": "array", "items": { "type": ["integer", "null"] } }, { "type": "null" }] },
            "several": { "anyOf": [{ "type": "string" }, { "type": "integer" }, { "type": "null" }] },
            "one": { "type": "string", "const": "a" },
            "plain": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
        });
        let info = json!({ "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" } });
        let out = to_3_0(json!({ "openapi": "3.1.0", "info": info, "components": { "schemas": schemas } }));
        let want = json!({
            "text": { "type": "string", "nullable": true },
            "word": { "allOf": [{ "$ref": "#/components/schemas/Word" }], "default": "a", "nullable": true },
            "list": { "type": "array", "items": { "type": "integer", "nullable": true }, "nullable": true },
            "several": { "anyOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true },
            "one": { "type": "string", "enum": ["a"] },
            "plain": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
        });
        assert_eq!(out["components"]["schemas"], want);
        assert_eq!(out["openapi"], "3.0.3");
        assert_eq!(out["info"]["license"], json!({ "name": "Apache-2.0" }));
    }
}

//! Generates the client. progenitor reads OpenAPI 3.0, and knows one type of error for an operation where the API has
//! two, so both become one here.

use serde_json::{Value, json};
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=OPENAPI");
    let file = env::var("OPENAPI").map_err(|_| "OPENAPI: the path of registry-v1.3.0.json")?;
    println!("cargo:rerun-if-changed={file}");
    let mut api: Value = serde_json::from_slice(&fs::read(file)?)?;
    one_type_of_error(&mut api);

    let mut settings = progenitor::GenerationSettings::default();
    settings.with_interface(progenitor::InterfaceStyle::Builder);
    let client = progenitor::Generator::new(&settings).generate_tokens(&serde_json::from_value(api)?)?;
    let out = PathBuf::from(env::var("OUT_DIR")?).join("client.rs");
    fs::write(out, prettyplease::unparse(&syn::parse2(client)?))?;
    Ok(())
}

fn one_type_of_error(api: &mut Value) {
    api["components"]["schemas"]["Refusal"] = json!({
        "type": "object",
        "required": ["detail"],
        "properties": { "detail": { "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "$ref": "#/components/schemas/ValidationError" } },
        ] } },
    });
    let paths = api["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.flat_map(|path| path.as_object_mut()).flat_map(|path| path.values_mut());
    for responses in operations.filter_map(|operation| operation["responses"].as_object_mut()) {
        // nor does it know an answer that is a body or nothing
        if responses.contains_key("200") {
            responses.remove("204");
        }
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
            response["content"]["application/json"]["schema"] =
                json!({ "$ref": "#/components/schemas/Refusal" });
        }
    }
}

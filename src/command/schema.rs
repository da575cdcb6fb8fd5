//! `fedreg schema`

use super::{failed, print};
use clap::{Args, ValueEnum};
use std::process::ExitCode;

/// Print a JSON Schema, for editors and for checks before a file reaches the feeder.
#[derive(Args)]
pub struct Schema {
    /// Of what.
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, ValueEnum)]
enum Of {
    /// A provider file.
    Providers,
    /// The section `feeder` of the settings.
    Feeder,
}

impl Of {
    fn text(self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&match self {
            Self::Providers => feeder::inventory::schema(),
            Self::Feeder => feeder::Settings::schema(),
        })
    }
}

impl Schema {
    /// Prints it.
    pub fn run(self) -> ExitCode {
        match self.of.text() {
            Ok(text) => {
                print(&text);
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Of;
    use serde_json::Value;

    const SAMPLE: &str = include_str!("../../providers.yaml");

    fn yaml(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    fn faults(of: Of, document: &Value) -> Vec<String> {
        let schema = serde_json::from_str(&of.text().unwrap()).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        validator.iter_errors(document).map(|error| error.to_string()).collect()
    }

    #[test]
    fn the_committed_ones_are_current() {
        for (of, name, kept) in [
            (Of::Providers, "providers", include_str!("../../docs/schema/providers.schema.json")),
            (Of::Feeder, "feeder", include_str!("../../docs/schema/feeder.schema.json")),
        ] {
            assert_eq!(
                of.text().unwrap().trim(),
                kept.trim(),
                "fedreg schema {name} > docs/schema/{name}.schema.json"
            );
        }
    }

    #[test]
    fn the_sample_keeps_to_its_schema_also_with_its_comments_taken_in() {
        assert_eq!(faults(Of::Providers, &yaml(SAMPLE)), Vec::<String>::new());
        let whole = SAMPLE
            .replace("    # token_file: /run/secrets/iam-token", "    token_file: /run/secrets/iam-token")
            .replace("    # endpoints: ", "    endpoints: ")
            .replace("    #   RegionOne: {", "      RegionOne: {")
            .replace("    # catalog_hosts:", "    catalog_hosts:")
            .replace("    # accelerators:", "    accelerators:")
            .replace("        # private_net_proxy:", "        private_net_proxy:");
        let whole = yaml(&whole);
        assert_eq!(faults(Of::Providers, &whole), Vec::<String>::new());
        assert!(whole["openstack"][0]["endpoints"]["RegionOne"]["compute"].is_string());
        for (good, bad) in [
            ("auth_url:", "auth_ulr:"),
            ("latitude: 41.11", "latitude: north"),
            ("status: maintenance", "status: maintained"),
            ("name: RegionTwo", "nmae: RegionTwo"),
        ] {
            assert!(SAMPLE.contains(good));
            let found = faults(Of::Providers, &yaml(&SAMPLE.replacen(good, bad, 1)));
            assert!(!found.is_empty(), "{bad}");
        }
    }

    #[test]
    fn the_example_of_the_settings_keeps_to_its_schema() {
        for text in [
            include_str!("../../fedreg.example.yaml").to_owned(),
            include_str!("../../fedreg.example.yaml").replace("#|", ""),
        ] {
            assert_eq!(faults(Of::Feeder, &yaml(&text)["feeder"]), Vec::<String>::new());
        }
    }
}

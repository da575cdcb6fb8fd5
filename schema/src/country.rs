//! ISO 3166-1: which texts are countries, and their codes.

use isocountry::CountryCode;

/// Names that ISO or people write differently from the table: the short names that existing databases hold
/// (without article, as the Python world's table has them), with their code.
const ALSO: &[(&str, &str)] = &[
    ("Bolivia, Plurinational State of", "BOL"),
    ("Cabo Verde", "CPV"),
    ("Congo", "COG"),
    ("Congo, The Democratic Republic of the", "COD"),
    ("Czechia", "CZE"),
    ("Côte d'Ivoire", "CIV"),
    ("Eswatini", "SWZ"),
    ("Iran, Islamic Republic of", "IRN"),
    ("Korea, Democratic People's Republic of", "PRK"),
    ("Korea, Republic of", "KOR"),
    ("Lao People's Democratic Republic", "LAO"),
    ("Micronesia, Federated States of", "FSM"),
    ("Moldova, Republic of", "MDA"),
    ("Netherlands", "NLD"),
    ("Netherlands (Kingdom of the)", "NLD"),
    ("North Macedonia", "MKD"),
    ("Palestine, State of", "PSE"),
    ("Russian Federation", "RUS"),
    ("South Korea", "KOR"),
    ("Syrian Arab Republic", "SYR"),
    ("Taiwan, Province of China", "TWN"),
    ("Tanzania, United Republic of", "TZA"),
    ("Türkiye", "TUR"),
    ("Turkey", "TUR"),
    ("United Kingdom", "GBR"),
    ("United Kingdom of Great Britain and Northern Ireland", "GBR"),
    ("United States", "USA"),
    ("United States of America", "USA"),
    ("Venezuela, Bolivarian Republic of", "VEN"),
    ("Viet Nam", "VNM"),
];

/// The three-letter code of a country's English short name.
pub fn alpha3(name: &str) -> Option<&'static str> {
    let listed = || CountryCode::iter().find(|code| bare(code.name()) == name || code.name() == name);
    let also = || ALSO.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
    also().or_else(|| listed().map(CountryCode::alpha3))
}

/// A name without what the table puts into parentheses: `Netherlands (the)`.
fn bare(name: &str) -> &str {
    name.split(" (").next().unwrap_or(name)
}

/// The name of a country that is nearest to what somebody wrote.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = CountryCode::iter().map(|code| bare(code.name())).chain(ALSO.iter().map(|(known, _)| *known));
    crate::nearest(name, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_with_and_without_what_iso_appends() {
        for (name, code) in [("Italy", "ITA"), ("Germany", "DEU"), ("Netherlands", "NLD"), ("Czechia", "CZE")]
        {
            assert_eq!(alpha3(name), Some(code), "{name}");
        }
        assert_eq!(alpha3("Atlantis"), None);
        assert_eq!(nearest("Itly"), Some("Italy"));
    }
}

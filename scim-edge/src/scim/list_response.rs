//! The answer to a query: RFC 7644 section 3.4.2.

use serde_json::{Map, Value as Json, json};

/// The schema of the answer.
pub const URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The member that holds the resources, and is the last.
pub const RESOURCES: &str = "Resources";

/// Renders one page of `total` results, of which the first has the index `start_index`.
pub fn render(resources: Vec<Map<String, Json>>, total: i64, start_index: i64) -> Json {
    let mut response = head(resources.len(), total, start_index);
    response.insert(RESOURCES.to_owned(), resources.into());
    response.into()
}

/// What stands before the `count` resources of a page.
pub fn head(count: usize, total: i64, start_index: i64) -> Map<String, Json> {
    let mut head = Map::new();
    head.insert("schemas".to_owned(), json!([URN]));
    head.insert("totalResults".to_owned(), total.into());
    head.insert("startIndex".to_owned(), start_index.into());
    head.insert("itemsPerPage".to_owned(), count.into());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_page_still_has_every_member() {
        let expect = json!({
            "schemas": [URN], "totalResults": 7, "startIndex": 8, "itemsPerPage": 0, "Resources": [],
        });
        assert_eq!(render(Vec::new(), 7, 8), expect);
    }

    #[test]
    fn items_per_page_is_what_is_there() {
        let one = Map::from_iter([("id".to_owned(), json!("a"))]);
        assert_eq!(render(vec![one], 7, 1)["itemsPerPage"], 1);
    }
}

//! A list shows nobody what reading its items one by one would not.

use super::World;
use schema::Schema;

#[tokio::test]
async fn lists_show_what_single_reads_show() {
    let world = World::new(true).await;
    let mut compared = 0;
    for (name, token) in &world.callers {
        for entity in &Schema::get().entities {
            for query in ["", "?with_conn=true", "?short=true"] {
                let path = format!("/{}/", entity.decl.path);
                let (status, items) = world.registry.get(&format!("{path}{query}"), token.as_deref()).await;
                if status != 200 {
                    assert_eq!(status, 401, "{name} {path}");
                    continue;
                }
                for item in items.as_array().unwrap() {
                    let uid = item["uid"].as_str().unwrap();
                    let (status, single) =
                        world.registry.get(&format!("{path}{uid}{query}"), token.as_deref()).await;
                    assert_eq!((status.as_u16(), &single), (200, item), "{name} {path}{uid}{query}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

//! Runs an issuer and a federation until Ctrl-C, for clients of every kind:
//!
//! ```text
//! cargo run -p simulator --example federation -- FILE [OPENSTACK KUBERNETES PROJECTS]
//! ```
//!
//! writes the provider file and prints where everything is.

use simulator::{Federation, Issuer, IssuerOptions, Params};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("say where the provider file is to be written")?;
    let mut params = Params::demo();
    for number in [&mut params.openstack, &mut params.kubernetes, &mut params.projects] {
        *number = arguments.next().map_or(Ok(*number), |text| text.parse())?;
    }
    let issuer = Issuer::start(IssuerOptions::default()).await?;
    let federation = Federation::new(1, params).start(&issuer).await?;
    let token = issuer.token(&federation.feeder())?;
    std::fs::write(&file, federation.providers_yaml(&token))?;
    println!("issuer {}\n{:#?}", issuer.url(), federation.counts());
    for site in federation.sites() {
        println!("{}", site.root());
    }
    tokio::signal::ctrl_c().await?;
    federation.stop().await;
    issuer.stop().await;
    Ok(())
}

//! The two pages for people, looked at in a real Chromium and worked by keyboard alone.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

#[path = "browser/devtools.rs"]
mod devtools;

use cosell_simulator::{Running, SeedOrder, Simulator, SimulatorConfig};
use devtools::{Browser, Tab};

/// What every page owes to who cannot see it or has no mouse; each line that comes back is something that it lacks.
const OWED: &str = r#"(() => {
  const lacks = [];
  const one = (what, found) => found.length === 1 || lacks.push(`${found.length} of ${what}`);
  one('h1', document.querySelectorAll('h1'));
  one('main', document.querySelectorAll('main'));
  if (!document.documentElement.lang) lacks.push('no language');
  if (!document.title) lacks.push('no title');
  for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!field.labels || !field.labels.length || !field.labels[0].textContent.trim()) lacks.push(`no label: ${field.name}`);
  const ids = [...document.querySelectorAll('[id]')].map(held => held.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) lacks.push(`two of id ${id}`);
  for (const button of document.querySelectorAll('button, a')) if (!button.textContent.trim()) lacks.push('a button or link without words');
  let last = 1;
  for (const head of document.querySelectorAll('h1, h2, h3')) {
    const level = Number(head.tagName[1]);
    if (level > last + 1) lacks.push(`heading ${head.textContent} skips a level`);
    last = level;
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) lacks.push('it is wider than the window');
  if (document.scripts.length) lacks.push('it has a script');
  return lacks.join('; ');
})()"#;

async fn world() -> Running {
    let config = SimulatorConfig {
        tls: false,
        ..SimulatorConfig::demo()
    };
    let running = Simulator::start(config).await.unwrap();
    let order = SeedOrder {
        referrals: 8,
        inbound: 3,
        opportunities: 6,
        leads: 3,
    };
    running.control().seed(&order).unwrap();
    running
}

/// Every page at both widths owes the same.
async fn owes_nothing(tab: &mut Tab, name: &str) {
    for width in [1280, 360] {
        tab.resize(width, 900).await;
        assert_eq!(tab.ask(OWED).await, "", "{name} at {width}");
        tab.picture(&format!("{name}-{width}")).await;
    }
    tab.resize(1280, 900).await;
}

#[tokio::test]
#[ignore = "needs Chromium; cargo verify --all runs it"]
async fn a_person_without_a_mouse_makes_a_deal_and_microsoft_accepts_it() {
    let world = world().await;
    let browser = Browser::start().await;
    let mut tab = browser
        .open(&format!("{}/partner-center", world.urls.control))
        .await;
    owes_nothing(&mut tab, "partner-center").await;
    // The first stop of the keyboard leads past the header, and what has the focus is seen.
    tab.press("Tab").await;
    assert_eq!(
        tab.ask("document.activeElement.textContent").await,
        "Skip to the contents"
    );
    assert_eq!(
        tab.ask("getComputedStyle(document.activeElement).outlineStyle")
            .await,
        "solid"
    );
    tab.press("Enter").await;
    assert_eq!(tab.ask("location.hash").await, "#main");

    tab.tab_to("New deal").await;
    tab.press("Enter").await;
    tab.until("document.title.startsWith('New deal')").await;
    owes_nothing(&mut tab, "new-deal").await;
    for (label, typed) in [
        ("Name of the deal", "Typed by keyboard"),
        ("Customer", "Béla & Söhne <Kft.>"),
        ("Value", "12k"),
        ("Solution id", "SOL-12345-ABC"),
        ("Contact's mail", "bela@customer.example"),
    ] {
        tab.tab_to(label).await;
        tab.type_over(typed).await;
    }
    // A wrong value: the API's own error, and nothing that was typed is lost.
    tab.press("Enter").await;
    tab.until("document.querySelector('[role=alert]')").await;
    let said = tab
        .ask("document.querySelector('[role=alert]').textContent")
        .await;
    assert!(
        said.contains("'/details/dealValue' is not a number"),
        "{said}"
    );
    assert_eq!(
        tab.ask("document.getElementById('customerProfile-name').value")
            .await,
        "Béla & Söhne <Kft.>"
    );
    owes_nothing(&mut tab, "refused").await;
    tab.tab_to("Value").await;
    tab.type_over("12000").await;
    tab.press("Enter").await;
    tab.until("document.querySelector('[role=status]')").await;
    assert_eq!(
        tab.ask("document.querySelector('h1').textContent").await,
        "Typed by keyboard"
    );
    owes_nothing(&mut tab, "deal").await;

    tab.tab_to("Invite Microsoft").await;
    tab.press("Enter").await;
    tab.until("document.querySelector('#msx')").await;
    tab.tab_to("Microsoft accepts").await;
    tab.press("Enter").await;
    tab.until("document.body.textContent.includes('Microsoft wins')")
        .await;
    owes_nothing(&mut tab, "accepted").await;
    let deals = world.control().deals("Typed by keyboard");
    assert_eq!(deals[0].microsoft_state.as_deref(), Some("Active/Accepted"));
    assert_eq!(deals[0].value, "12000 USD");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "needs Chromium; cargo verify --all runs it"]
async fn a_seller_without_a_mouse_edits_and_wins_an_opportunity() {
    let world = world().await;
    let browser = Browser::start().await;
    let mut tab = browser
        .open(&format!("{}/dynamics", world.urls.control))
        .await;
    owes_nothing(&mut tab, "dynamics").await;
    tab.tab_to("New opportunity").await;
    tab.press("Enter").await;
    tab.until("document.title.startsWith('New opportunity')")
        .await;
    owes_nothing(&mut tab, "new-opportunity").await;
    tab.tab_to("Customer (an account's name; a new one is made)")
        .await;
    tab.type_over("Tailspin").await;
    tab.tab_to("Topic").await;
    tab.type_over("Won by keyboard").await;
    tab.press("Enter").await;
    tab.until("document.querySelector('[role=status]')").await;
    tab.tab_to("Estimated revenue").await;
    tab.type_over("750").await;
    tab.tab_to("Sync with Partner Center").await;
    tab.press(" ").await;
    tab.press("Enter").await;
    tab.until("document.querySelector('[role=status]')?.textContent === 'Saved.'")
        .await;
    owes_nothing(&mut tab, "opportunity").await;
    tab.tab_to("Close as won").await;
    tab.press("Enter").await;
    tab.until("document.body.textContent.includes('Reopen')")
        .await;
    let deals = world.control().deals("Won by keyboard");
    assert_eq!(deals[0].row_state.as_deref(), Some("Won"));
    let row = world
        .control()
        .row("opportunity", deals[0].row.as_deref().unwrap())
        .unwrap();
    assert_eq!(row["msft_microsoftpartnercenterreferralsync"], true);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

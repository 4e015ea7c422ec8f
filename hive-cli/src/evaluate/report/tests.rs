//! Pages made from a result that holds every kind of number, also those that are missing.

use super::*;
use crate::evaluate::{figures, terminal};
use hive_evaluate::{
    Arm, ArmResult, Balances, Cell, Constant, Day, DynamicsResult, Estimate, FailureResult,
    GraphFacts, Metric, OpenedChannel, PairedRatio, PlanFacts, Rebalancing, Resources, Scale,
    Setting, Settings, Summary,
};

const SEEDS: [u64; 2] = [1, 2];

fn summary(mean: f64) -> Summary {
    Summary {
        n: 2,
        mean: Some(mean),
        low: Some(mean * 0.9),
        high: Some(mean * 1.1),
    }
}

fn estimate(metric: Metric, mean: f64) -> Estimate {
    Estimate {
        metric,
        per_seed: vec![Some(mean), None],
        summary: summary(mean),
    }
}

fn dynamics(balances: Balances, rebalancing: Rebalancing) -> DynamicsResult {
    let day = |number: i32| Day {
        revenue_sat: f64::from(100 - number),
        ..Day::default()
    };
    DynamicsResult {
        balances,
        rebalancing,
        metrics: vec![
            estimate(Metric::Revenue, 77.0),
            estimate(Metric::RebalanceCost, 3.0),
        ],
        days: (0..3).map(day).collect(),
    }
}

fn arm(arm: Arm, part: f64) -> ArmResult {
    let failed = |failure, mean: Option<f64>| FailureResult {
        failure,
        what: Some("3.230 <b>&".into()),
        nodes: 2,
        payments_kept_per_seed: vec![mean, mean],
        payments_kept: mean.map(summary).unwrap_or_default(),
        revenue_kept_per_seed: vec![mean, mean],
        revenue_kept: mean.map(summary).unwrap_or_default(),
    };
    ArmResult {
        arm,
        plans: vec![PlanFacts {
            opens: 40,
            links: 4,
            capital_sat: 400_000_000,
            targets: 30,
            shared_targets: 2,
            settled: 9,
            millis: Some(1_234),
            peak_bytes: None,
            channels: vec![OpenedChannel {
                member: 0,
                to: "member 3".into(),
                capacity_sat: 1,
            }],
            notes: Vec::new(),
        }],
        metrics: vec![
            estimate(Metric::PaymentShare, 0.0123 * part),
            estimate(Metric::NetRevenue, 1_234.0 * part),
            Estimate {
                metric: Metric::Optimism,
                per_seed: vec![None, None],
                summary: Summary::default(),
            },
        ],
        failures: vec![
            failed(hive_evaluate::Failure::MeanMember, Some(0.81)),
            failed(hive_evaluate::Failure::WorstMember, Some(0.612)),
            failed(hive_evaluate::Failure::Subnet16, None),
        ],
        dynamics: vec![
            dynamics(Balances::Uniform, Rebalancing::Off),
            dynamics(Balances::Uniform, Rebalancing::Fleet),
            dynamics(Balances::Bimodal, Rebalancing::Local),
        ],
    }
}

fn ratio(denominator: Arm, mean: Option<f64>) -> PairedRatio {
    PairedRatio {
        numerator: Arm::Fleet,
        denominator,
        metric: Metric::NetRevenue,
        setting: Setting::Static,
        per_seed: vec![mean, mean],
        undefined: 0,
        summary: mean.map(summary).unwrap_or_default(),
        scale: Scale::Geometric,
    }
}

fn cell(sender: &str, over_whale: Option<f64>) -> Cell {
    Cell {
        sender: sender.into(),
        demand: "capacity".into(),
        amount: "60000sat".into(),
        seeds: SEEDS.to_vec(),
        arms: vec![
            arm(Arm::Whale, 1.0),
            arm(Arm::Fleet, 0.7),
            arm(Arm::Uncoordinated, -0.2),
        ],
        ratios: vec![
            ratio(Arm::Whale, over_whale),
            ratio(Arm::Uncoordinated, Some(3.5)),
        ],
        notes: vec!["a note with <b> & |".into()],
    }
}

fn evaluation() -> Evaluation {
    Evaluation {
        graph: GraphFacts {
            nodes: 12_842,
            usable_nodes: 6_706,
            channels: 49_808,
            usable_channels: 37_767,
            capacity_sat: 581_800_000_000,
            merchants: 0,
            nodes_with_ip16: 0,
            checksum: "00ff00ff00ff00ff".into(),
        },
        settings: Settings {
            dynamics: Some(hive_evaluate::Dynamics::default()),
            ..Settings::default()
        },
        constants: vec![Constant {
            name: "attempts",
            value: 3.0,
            unit: "",
            reason: "because it is so in LND",
        }],
        cells: vec![
            cell("lnd", Some(0.97)),
            cell("ldk", Some(0.5)),
            cell("feeonly", None),
        ],
        notes: vec!["of the whole run".into()],
        resources: Resources {
            millis: Some(61_000),
            peak_bytes: Some(123_000_000),
            threads: Some(2),
        },
    }
}

fn write(folder: &Path) -> Evaluation {
    let evaluation = evaluation();
    let source = Source {
        path: "graph <1>.json".into(),
        sha256: "ab".repeat(32),
    };
    let report = Report {
        evaluation: &evaluation,
        command: "hive evaluate --graph 'graph <1>.json' --seeds 2",
        version: "0.0.0",
        sources: &[source],
        json: "{}",
    };
    report.write(folder).unwrap();
    evaluation
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    let body = html.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let parsed = roxmltree::Document::parse(body).unwrap();
    let names: Vec<&str> = parsed
        .descendants()
        .map(|element| element.tag_name().name())
        .collect();
    for refused in ["script", "link", "img", "iframe"] {
        assert!(!names.contains(&refused), "{refused}");
    }
    let outside = |value: &str| value.contains("://") && value != "http://www.w3.org/2000/svg";
    let attributes = parsed
        .descendants()
        .flat_map(|element| element.attributes());
    assert_eq!(
        attributes
            .filter(|attribute| outside(attribute.value()))
            .count(),
        0
    );
    for said in [
        "The question",
        "The result in short",
        "What this does not show",
        "How to repeat it",
        "graph &lt;1&gt;.json",
        "00ff00ff00ff00ff",
        "0.97 (0.87 to 1.07)",
        "61.2 % (55.1 % to 67.3 %)",
        "because it is so in LND",
        "61.0 s",
        "undefined",
    ] {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn plots_stand_by_themselves_and_the_markdown_names_each() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    let mut plots = 0;
    for entry in fs::read_dir(folder.path().join("plots")).unwrap() {
        let path = entry.unwrap().path();
        roxmltree::Document::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let link = format!("(plots/{})", path.file_name().unwrap().to_str().unwrap());
        assert_eq!(markdown.matches(&link).count(), 1, "{link}");
        plots += 1;
    }
    // Four aims over all cells; payments, net revenue, failures and two kinds of days in each cell.
    assert_eq!(plots, 4 + 3 * 5);
    let mut columns = None;
    for line in markdown.lines() {
        let cells = line.replace("\\|", "").matches('|').count();
        match (line.starts_with('|'), columns) {
            (true, None) => columns = Some(cells),
            (true, Some(before)) => assert_eq!(cells, before, "{line}"),
            (false, _) => columns = None,
        }
    }
}

#[test]
fn aims_are_counted_as_reached_missed_or_open() {
    let evaluation = evaluation();
    let aims = verdict::aims(&evaluation);
    let told: Vec<String> = aims.iter().map(verdict::Aim::verdict).collect();
    // 0.97 reaches down to 0.873, under the aim of 0.9; 0.5 is wholly below; the third is undefined.
    assert!(
        told[0].contains("whale") && told[0].contains("Reached with the whole interval in 0 of 3"),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("missed with the whole interval in 1, open in 2"),
        "{}",
        told[0]
    );
    assert!(
        told[1].contains("uncoordinated") && told[1].contains("in 3 of 3, missed"),
        "{}",
        told[1]
    );
    assert!(
        !told.iter().any(|text| text.contains("autopilot")),
        "no such arm was run: {told:?}"
    );
}

#[test]
fn figures_have_name_value_unit_and_target() {
    let lines = figures::lines(&evaluation());
    for wanted in [
        "FIGURE evaluate_lnd_capacity_60000sat_fleet_over_whale 0.9700 ratio >=0.9",
        "FIGURE evaluate_lnd_capacity_60000sat_fleet_over_uncoordinated_low 3.1500 ratio -",
        "FIGURE evaluate_ldk_capacity_60000sat_fleet_kept_worst_member 0.6120 ratio >=0.8",
        "FIGURE evaluate_wall 61.00 s -",
        "FIGURE evaluate_peak_memory 123.0 MB -",
    ] {
        assert!(
            lines.iter().any(|line| line == wanted),
            "{wanted} is not in {lines:#?}"
        );
    }
    assert!(
        lines.iter().all(|line| line.split(' ').count() == 5),
        "{lines:#?}"
    );
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("feeonly_capacity_60000sat_fleet_over_whale")),
        "undefined is no figure"
    );
    let told = terminal::tell(&evaluation());
    assert!(
        told.contains("fleet ÷ whale") && told.contains("1.2 % (1.1 % to 1.4 %)"),
        "{told}"
    );
}

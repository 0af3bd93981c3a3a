//! What a recipe may say about a network, and what it is told otherwise.

use kd_classify::{Architecture, NetworkDesign, NetworkError, NetworkSpec, Stem};

fn refusal(text: &str) -> String {
    let design: Result<NetworkDesign, _> = toml::from_str(text);
    match design {
        Err(error) => error.to_string(),
        Ok(design) => design.check().unwrap_err().to_string(),
    }
}

#[test]
fn every_architecture_has_the_name_that_recipes_use() {
    for architecture in Architecture::ALL {
        let text = format!("architecture = \"{architecture}\"\nstem = \"small\"");
        let design: NetworkDesign = toml::from_str(&text).unwrap();
        assert_eq!(design.architecture, architecture);
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let text = refusal("architecture = \"resnet-18\"\nstem = \"small\"\ndepth = 18");
    assert!(text.contains("depth"), "{text}");
    let spec: Result<NetworkSpec, _> =
        toml::from_str("architecture = \"resnet-18\"\nstem = \"small\"\nin_channels = 1\noutputs = 2\ndropout = 0.1");
    assert!(spec.unwrap_err().to_string().contains("dropout"));
}

#[test]
fn an_unknown_architecture_is_answered_with_the_known_ones() {
    let text = refusal("architecture = \"resnet-19\"\nstem = \"small\"");
    assert!(text.contains("resnet-18") && text.contains("mobile"), "{text}");
}

#[test]
fn the_stem_has_no_default() {
    assert!(refusal("architecture = \"resnet-18\"").contains("stem"));
}

#[test]
fn a_key_of_another_architecture_is_refused() {
    let text = refusal("architecture = \"resnet-18\"\nstem = \"small\"\nblocks = [1, 1]");
    assert!(text.contains("`blocks`") && text.contains("resnet-18") && text.contains("hint:"), "{text}");
    assert!(refusal("architecture = \"mobile\"\nstem = \"small\"\nwidth = 8\nmultiplier = 1.0").contains("`width`"));
    assert!(refusal("architecture = \"vgg-16\"\nstem = \"small\"\nmultiplier = 0.5").contains("`multiplier`"));
}

#[test]
fn a_missing_key_is_answered_with_an_example() {
    assert!(refusal("architecture = \"thin-resnet\"\nstem = \"small\"\nwidth = 8").contains("blocks = [1, 1, 1]"));
    assert!(refusal("architecture = \"thin-resnet\"\nstem = \"small\"\nblocks = [1]").contains("width = 16"));
    assert!(refusal("architecture = \"mobile\"\nstem = \"small\"").contains("multiplier = 0.25"));
}

#[test]
fn numbers_out_of_range_are_refused() {
    for keys in ["width = 0\nblocks = [1]", "width = 513\nblocks = [1]", "width = 8\nblocks = []"] {
        assert!(refusal(&format!("architecture = \"thin-resnet\"\nstem = \"small\"\n{keys}")).contains("expected"));
    }
    for blocks in ["[1, 0]", "[65]", "[1, 1, 1, 1, 1]"] {
        let text = format!("architecture = \"thin-resnet\"\nstem = \"small\"\nwidth = 8\nblocks = {blocks}");
        assert!(refusal(&text).contains("1 to 4 stages"), "{blocks}");
    }
    for multiplier in ["0.0", "-1.0", "nan", "inf", "4.1"] {
        let text = format!("architecture = \"mobile\"\nstem = \"small\"\nmultiplier = {multiplier}");
        assert!(refusal(&text).contains("above 0 and at most 4"), "{multiplier}");
    }
    let design = NetworkDesign::new(Architecture::ResNet18, Stem::Small);
    assert!(design.clone().spec(0, 2).is_err());
    assert!(design.clone().spec(1, 0).is_err());
    assert!(design.spec(1, 65_537).is_err());
}

#[test]
fn a_spec_reads_back_what_it_wrote() {
    let text = "architecture = \"mobile\"\nstem = \"imagenet\"\nmultiplier = 0.3\nblocks = [1, 2]\nin_channels = 3\n\
                outputs = 9\n";
    let spec: NetworkSpec = toml::from_str(text).unwrap();
    assert_eq!(toml::from_str::<NetworkSpec>(&toml::to_string(&spec).unwrap()).unwrap(), spec);
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<NetworkSpec>(&json).unwrap(), spec);
    assert_eq!((spec.in_channels(), spec.outputs()), (3, 9));
    assert_eq!(spec.to_string(), "mobile/imagenet multiplier 0.3 blocks 1-2");
}

#[test]
fn a_stored_spec_is_checked_when_it_is_read() {
    let text = "architecture = \"resnet-18\"\nstem = \"small\"\nin_channels = 1\noutputs = 0";
    let error = toml::from_str::<NetworkSpec>(text).unwrap_err().to_string();
    assert!(error.contains("outputs"), "{error}");
}

#[test]
fn an_image_that_runs_out_is_refused_with_the_least_that_fits() {
    let vgg = NetworkDesign::new(Architecture::Vgg16, Stem::ImageNet).spec(1, 2).unwrap();
    let refused = vgg.check_input([31, 64]).unwrap_err();
    assert_eq!(
        refused,
        NetworkError::InputTooSmall { network: "vgg-16/imagenet".into(), height: 31, width: 64, least: 32 }
    );
    vgg.check_input([32, 32]).unwrap();
    let small = NetworkDesign::new(Architecture::Vgg16, Stem::Small).spec(1, 2).unwrap();
    assert!(matches!(small.check_input([64, 15]), Err(NetworkError::InputTooSmall { least: 16, .. })));
    small.check_input([16, 16]).unwrap();
    let resnet = NetworkDesign::new(Architecture::ResNet18, Stem::ImageNet).spec(1, 2).unwrap();
    assert!(matches!(resnet.check_input([0, 28]), Err(NetworkError::InputTooSmall { least: 1, .. })));
    assert!(matches!(resnet.check_input([28, 4097]), Err(NetworkError::InputTooLarge { most: 4096, .. })));
}

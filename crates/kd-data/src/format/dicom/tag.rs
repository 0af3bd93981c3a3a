//! The attributes that an image needs, by tag; everything else in a file is skipped unread.
//!
//! The list is short on purpose: what is not in it, names and dates of patients among it, never leaves the file.

use std::fmt;

/// Group and element number of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(pub(crate) u16, pub(crate) u16);

impl Tag {
    /// Whether a vendor says what the attribute means, not the standard: its group is odd.
    pub(crate) fn is_private(self) -> bool {
        !self.0.is_multiple_of(2)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:04X},{:04X})", self.0, self.1)?;
        name(*self).map_or(Ok(()), |name| write!(f, " {name}"))
    }
}

macro_rules! attributes {
    ($($constant:ident = ($group:literal, $element:literal) $name:literal $kind:ident;)*) => {
        $(pub(super) const $constant: Tag = Tag($group, $element);)*

        fn name(tag: Tag) -> Option<&'static str> {
            match tag { $($constant => Some($name),)* _ => None }
        }

        /// Whether the attribute is read at all.
        pub(super) fn is_kept(tag: Tag) -> bool {
            name(tag).is_some()
        }

        /// Whether the attribute is a sequence of items; implicit files do not say so themselves.
        pub(super) fn is_sequence(tag: Tag) -> bool {
            match tag { $($constant => attributes!(@$kind),)* _ => false }
        }
    };
    (@value) => { false };
    (@items) => { true };
}

attributes! {
    MEDIA_CLASS = (0x0002, 0x0002) "Media Storage SOP Class UID" value;
    TRANSFER_SYNTAX = (0x0002, 0x0010) "Transfer Syntax UID" value;
    CHARACTERS = (0x0008, 0x0005) "Specific Character Set" value;
    IMAGE_TYPE = (0x0008, 0x0008) "Image Type" value;
    SOP_CLASS = (0x0008, 0x0016) "SOP Class UID" value;
    SOP_INSTANCE = (0x0008, 0x0018) "SOP Instance UID" value;
    MODALITY = (0x0008, 0x0060) "Modality" value;
    REFERENCED_SERIES = (0x0008, 0x1115) "Referenced Series Sequence" items;
    PATIENT_ID = (0x0010, 0x0020) "Patient ID" value;
    SLICE_THICKNESS = (0x0018, 0x0050) "Slice Thickness" value;
    ECHO_NUMBERS = (0x0018, 0x0086) "Echo Numbers" value;
    IMAGER_PIXEL_SPACING = (0x0018, 0x1164) "Imager Pixel Spacing" value;
    SERIES_UID = (0x0020, 0x000E) "Series Instance UID" value;
    ACQUISITION_NUMBER = (0x0020, 0x0012) "Acquisition Number" value;
    IMAGE_POSITION = (0x0020, 0x0032) "Image Position (Patient)" value;
    IMAGE_ORIENTATION = (0x0020, 0x0037) "Image Orientation (Patient)" value;
    FRAME_OF_REFERENCE = (0x0020, 0x0052) "Frame of Reference UID" value;
    TEMPORAL_POSITION = (0x0020, 0x0100) "Temporal Position Identifier" value;
    STACK_ID = (0x0020, 0x9056) "Stack ID" value;
    FRAME_CONTENT = (0x0020, 0x9111) "Frame Content Sequence" items;
    PLANE_POSITION = (0x0020, 0x9113) "Plane Position Sequence" items;
    PLANE_ORIENTATION = (0x0020, 0x9116) "Plane Orientation Sequence" items;
    TEMPORAL_INDEX = (0x0020, 0x9128) "Temporal Position Index" value;
    SAMPLES_PER_PIXEL = (0x0028, 0x0002) "Samples per Pixel" value;
    PHOTOMETRIC = (0x0028, 0x0004) "Photometric Interpretation" value;
    PLANAR = (0x0028, 0x0006) "Planar Configuration" value;
    FRAMES = (0x0028, 0x0008) "Number of Frames" value;
    ROWS = (0x0028, 0x0010) "Rows" value;
    COLUMNS = (0x0028, 0x0011) "Columns" value;
    PIXEL_SPACING = (0x0028, 0x0030) "Pixel Spacing" value;
    BITS_ALLOCATED = (0x0028, 0x0100) "Bits Allocated" value;
    BITS_STORED = (0x0028, 0x0101) "Bits Stored" value;
    HIGH_BIT = (0x0028, 0x0102) "High Bit" value;
    PIXEL_REPRESENTATION = (0x0028, 0x0103) "Pixel Representation" value;
    PADDING_VALUE = (0x0028, 0x0120) "Pixel Padding Value" value;
    PADDING_LIMIT = (0x0028, 0x0121) "Pixel Padding Range Limit" value;
    FLOAT_PADDING_VALUE = (0x0028, 0x0122) "Float Pixel Padding Value" value;
    DOUBLE_PADDING_VALUE = (0x0028, 0x0123) "Double Float Pixel Padding Value" value;
    FLOAT_PADDING_LIMIT = (0x0028, 0x0124) "Float Pixel Padding Range Limit" value;
    DOUBLE_PADDING_LIMIT = (0x0028, 0x0125) "Double Float Pixel Padding Range Limit" value;
    WINDOW_CENTER = (0x0028, 0x1050) "Window Center" value;
    WINDOW_WIDTH = (0x0028, 0x1051) "Window Width" value;
    RESCALE_INTERCEPT = (0x0028, 0x1052) "Rescale Intercept" value;
    RESCALE_SLOPE = (0x0028, 0x1053) "Rescale Slope" value;
    RESCALE_TYPE = (0x0028, 0x1054) "Rescale Type" value;
    VOI_FUNCTION = (0x0028, 0x1056) "VOI LUT Function" value;
    RED_DESCRIPTOR = (0x0028, 0x1101) "Red Palette Color Lookup Table Descriptor" value;
    GREEN_DESCRIPTOR = (0x0028, 0x1102) "Green Palette Color Lookup Table Descriptor" value;
    BLUE_DESCRIPTOR = (0x0028, 0x1103) "Blue Palette Color Lookup Table Descriptor" value;
    RED_DATA = (0x0028, 0x1201) "Red Palette Color Lookup Table Data" value;
    GREEN_DATA = (0x0028, 0x1202) "Green Palette Color Lookup Table Data" value;
    BLUE_DATA = (0x0028, 0x1203) "Blue Palette Color Lookup Table Data" value;
    RED_SEGMENTS = (0x0028, 0x1221) "Segmented Red Palette Color Lookup Table Data" value;
    GREEN_SEGMENTS = (0x0028, 0x1222) "Segmented Green Palette Color Lookup Table Data" value;
    BLUE_SEGMENTS = (0x0028, 0x1223) "Segmented Blue Palette Color Lookup Table Data" value;
    MODALITY_LUT = (0x0028, 0x3000) "Modality LUT Sequence" items;
    LUT_DESCRIPTOR = (0x0028, 0x3002) "LUT Descriptor" value;
    LUT_DATA = (0x0028, 0x3006) "LUT Data" value;
    VOI_LUT = (0x0028, 0x3010) "VOI LUT Sequence" items;
    PIXEL_MEASURES = (0x0028, 0x9110) "Pixel Measures Sequence" items;
    FRAME_VOI = (0x0028, 0x9132) "Frame VOI LUT Sequence" items;
    PIXEL_TRANSFORMATION = (0x0028, 0x9145) "Pixel Value Transformation Sequence" items;
    SEGMENTATION_TYPE = (0x0062, 0x0001) "Segmentation Type" value;
    SEGMENTS = (0x0062, 0x0002) "Segment Sequence" items;
    SEGMENT_NUMBER = (0x0062, 0x0004) "Segment Number" value;
    SEGMENT_LABEL = (0x0062, 0x0005) "Segment Label" value;
    SEGMENT_IDENTIFICATION = (0x0062, 0x000A) "Segment Identification Sequence" items;
    REFERENCED_SEGMENT = (0x0062, 0x000B) "Referenced Segment Number" value;
    GRID_OFFSETS = (0x3004, 0x000C) "Grid Frame Offset Vector" value;
    SHARED_GROUPS = (0x5200, 0x9229) "Shared Functional Groups Sequence" items;
    FRAME_GROUPS = (0x5200, 0x9230) "Per-Frame Functional Groups Sequence" items;
    EXTENDED_OFFSETS = (0x7FE0, 0x0001) "Extended Offset Table" value;
    FLOAT_PIXELS = (0x7FE0, 0x0008) "Float Pixel Data" value;
    DOUBLE_PIXELS = (0x7FE0, 0x0009) "Double Float Pixel Data" value;
    PIXELS = (0x7FE0, 0x0010) "Pixel Data" value;
}

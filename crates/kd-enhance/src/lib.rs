//! Enhancement: a better image from a worse one; denoising, low-dose CT, super-resolution.
//!
//! Says to the trainer what a batch, a loss against the true image and a good answer are; holds the networks of teacher
//! and student, the way from tiles to a whole image, and the scores of an image.

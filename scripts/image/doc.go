// Package image tries `whystuck image` on real images, which are built here
// without a registry, by a private engine. It has no code outside its tests.
package image

// Package statictest reads real images by `whystuck image --static`; they are built here
// without a registry, in a private engine. It has no code outside its tests.
package statictest

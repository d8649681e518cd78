package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed rootfs.sh
var rootfsRecipe []byte

//go:embed packages.txt
var rootfsPackages []byte

// rootfs gives the directory of the root file system, built when recipe or
// packages have changed. It is a directory and not an archive: docker import
// reads tar, and writing 2 GB twice costs more than tarring them each time.
func rootfs(ctx context.Context) (string, error) {
	base, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(append([]byte{}, rootfsRecipe...), rootfsPackages...))
	dir := filepath.Join(base, fmt.Sprintf("rootfs-%x", sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Built beside its place and renamed: a build that is cut off is never taken
	// for a finished one.
	tmp, err := os.MkdirTemp(base, "build-")
	if err != nil {
		return "", fmt.Errorf("building the root file system: %w", err)
	}
	defer os.RemoveAll(tmp)
	recipe, list, root := filepath.Join(tmp, "rootfs.sh"), filepath.Join(tmp, "packages.txt"), filepath.Join(tmp, "root")
	for name, content := range map[string][]byte{recipe: rootfsRecipe, list: rootfsPackages} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return "", fmt.Errorf("building the root file system: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", recipe, root, list)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		log, _ := os.ReadFile(root + ".log")
		return "", fmt.Errorf("building the root file system: %w; its log ends:\n%s", err, tail(log, 3000))
	}
	if err := os.Rename(root, dir); err != nil {
		return "", fmt.Errorf("building the root file system: %w", err)
	}
	return dir, nil
}

// cacheDir is where the root file system and compiled programs are kept.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil { // no HOME
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Geteuid()))
	}
	dir = filepath.Join(dir, "whystuck")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	return dir, nil
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

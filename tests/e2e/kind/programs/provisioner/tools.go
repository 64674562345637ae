//go:build tools

// Package provisioner pins the program that makes volumes in folders of a node. It is a module of
// its own because its Kubernetes libraries are older than the ones beside it.
package provisioner

import _ "github.com/rancher/local-path-provisioner"

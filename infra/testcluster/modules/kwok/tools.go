//go:build tools

// Package kwok pins the program that plays the kubelet of nodes that do not exist.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"

// Package controllers holds the one constant that Cilium reads from the Multi-Cluster Services API module.
package controllers

// DerivedServiceAnnotation marks the Service that an implementation derives from a ServiceImport.
const DerivedServiceAnnotation = "multicluster.kubernetes.io/derived-service"

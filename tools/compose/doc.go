// Package compose holds the scripts behind `make up` and `make down`, and, under the
// tag compose, a test of docker-compose.yml on a real engine.
package compose

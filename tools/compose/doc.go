// Package compose holds the scripts behind `make up` and `make down`. Under the tag compose it holds a
// test of docker-compose.yml on a real engine.
package compose

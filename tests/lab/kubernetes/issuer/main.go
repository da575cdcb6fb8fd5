// A small OpenID Connect issuer over TLS, standard library only. LAB ONLY: /token hands a token to anybody on loopback.
//
//	issuer HOME PORT     HOME/server.pem, HOME/server.key: TLS; HOME/issuer.key: signs, made when absent
//
//	GET  /.well-known/openid-configuration   GET /jwks   GET /userinfo (Bearer)   GET /lab (which lab, its folder, counts of requests)
//	POST /token       sub=NAME [groups=a,b] [aud=a,b] [ttl=seconds] [iss=URL] [email=..]; any grant_type, client id and secret
//	POST /introspect  token=...
//	POST /rotate      [keep=1]  a new signing key; without keep the old ones are no longer published
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

type object = map[string]any

var (
	b64    = base64.RawURLEncoding
	mu     sync.Mutex
	keys   []*rsa.PrivateKey // the first one signs
	counts = map[string]int{}
	users  = map[string][]string{ // groups a subject has unless the form says otherwise
		"feeder": {"federation"}, "alice": {"alpha-users"}, "bob": {"bare"}, "mallory": {"outsiders"},
	}
)

func kid(k *rsa.PrivateKey) string {
	sum := sha256.Sum256(k.N.Bytes())
	return b64.EncodeToString(sum[:9])
}

func mint(claims object) string {
	head, _ := json.Marshal(object{"alg": "RS256", "kid": kid(keys[0]), "typ": "JWT"})
	body, _ := json.Marshal(claims)
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, keys[0], crypto.SHA256, sum[:])
	if err != nil {
		log.Fatal(err)
	}
	return text + "." + b64.EncodeToString(sig)
}

func verify(token string) object {
	part := strings.Split(token, ".")
	if len(part) != 3 {
		return nil
	}
	sig, _ := b64.DecodeString(part[2])
	body, _ := b64.DecodeString(part[1])
	sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
	for _, k := range keys {
		if rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, sum[:], sig) == nil {
			var claims object
			if json.Unmarshal(body, &claims) != nil {
				return nil
			}
			if exp, ok := claims["exp"].(float64); !ok || int64(exp) < time.Now().Unix() {
				return nil
			}
			return claims
		}
	}
	return nil
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: issuer HOME PORT")
	}
	home, address := os.Args[1], "127.0.0.1:"+os.Args[2]
	issuer := "https://" + address
	file := filepath.Join(home, "issuer.key")
	fresh := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err == nil {
			err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), 0o600)
		}
		if err != nil {
			log.Fatal(err)
		}
		return k
	}
	if text, err := os.ReadFile(file); err == nil {
		block, _ := pem.Decode(text)
		if block == nil {
			log.Fatal(file + ": no PEM")
		}
		k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			log.Fatal(err)
		}
		keys = []*rsa.PrivateKey{k}
	} else {
		keys = []*rsa.PrivateKey{fresh()}
	}

	serve := func(w http.ResponseWriter, r *http.Request) (int, any) {
		switch r.Method + " " + strings.TrimSuffix(r.URL.Path, "/") {
		case "GET /.well-known/openid-configuration":
			return 200, object{"issuer": issuer, "jwks_uri": issuer + "/jwks", "token_endpoint": issuer + "/token", "userinfo_endpoint": issuer + "/userinfo",
				"introspection_endpoint": issuer + "/introspect", "authorization_endpoint": issuer + "/authorize", "response_types_supported": []string{"code"},
				"grant_types_supported": []string{"client_credentials", "password", "refresh_token"}, "subject_types_supported": []string{"public"},
				"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "profile", "email", "offline_access"},
				"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"}}
		case "GET /jwks":
			all := []object{}
			for _, k := range keys {
				all = append(all, object{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid(k), "n": b64.EncodeToString(k.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(k.E)).Bytes())})
			}
			return 200, object{"keys": all}
		case "GET /userinfo":
			if c := verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); c != nil {
				return 200, c
			}
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			return 401, object{"error": "invalid_token"}
		case "GET /lab":
			return 200, object{"lab": "kubernetes", "home": home, "hits": counts, "kids": len(keys)}
		case "POST /rotate":
			if r.FormValue("keep") == "" {
				keys = nil
			}
			keys = append([]*rsa.PrivateKey{fresh()}, keys...)
			return 200, object{"kid": kid(keys[0])}
		case "POST /introspect":
			if c := verify(r.FormValue("token")); c != nil {
				c["active"], c["token_type"] = true, "Bearer"
				return 200, c
			}
			return 200, object{"active": false}
		case "POST /token":
			get := func(name, otherwise string) string {
				if v := r.FormValue(name); v != "" {
					return v
				}
				return otherwise
			}
			sub := get("sub", get("username", "feeder"))
			ttl, err := strconv.Atoi(get("ttl", "3600"))
			if err != nil {
				return 400, object{"error": "invalid_request", "error_description": "ttl is a number of seconds"}
			}
			groups := users[sub]
			if _, set := r.Form["groups"]; set {
				groups = words(r.FormValue("groups"))
			}
			if groups == nil {
				groups = []string{}
			}
			now := time.Now().Unix()
			claims := object{"iss": get("iss", issuer), "sub": sub, "iat": now, "nbf": now - 5, "exp": now + int64(ttl), "jti": rand.Text(), "client_id": get("client_id", "feeder"),
				"scope": get("scope", "openid profile email"), "preferred_username": sub, "email": get("email", sub+"@example.org"), "email_verified": true, "groups": groups}
			if aud := words(get("aud", get("audience", "kubernetes"))); len(aud) == 1 {
				claims["aud"] = aud[0]
			} else {
				claims["aud"] = aud
			}
			token := mint(claims)
			return 200, object{"access_token": token, "id_token": token, "token_type": "Bearer", "expires_in": ttl, "scope": claims["scope"]}
		}
		return 404, object{"error": "not_found"}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		r.ParseForm()
		counts[r.Method+" "+r.URL.Path]++
		status, value := serve(w, r)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(value)
	})
	fmt.Println(issuer)
	server := &http.Server{Addr: address, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServeTLS(filepath.Join(home, "server.pem"), filepath.Join(home, "server.key")))
}

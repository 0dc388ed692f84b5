// A click in Go: gin in front, redigo behind, one script call per click on a pooled connection.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gomodule/redigo/redis"
)

// As many as clients may be connected, so that no click opens a connection of its own.
const poolSize = 4096

var outcomes = []string{"won", "already_won", "sold_out", "rate_limited", "closed", "not_found", "unauthenticated", "unavailable"}

const (
	won = iota
	alreadyWon
	soldOut
	rateLimited
	closed
	notFound
	unauthenticated
	unavailable
)

var statuses = []int{201, 200, 409, 429, 403, 404, 401, 503}

type claims struct {
	Subject   string  `json:"sub"`
	ExpiresAt float64 `json:"exp"`
}

type server struct {
	hashes    sync.Pool
	headers   sync.Map // encoded token headers that were found good
	pool      *redis.Pool
	script    string
	scriptSHA string
	rate      string
	windowMS  string
	window    int64
	soldOutMS int64
	refusals  sync.Map // offer -> epoch ms until which sold_out is answered without asking
	counts    [8]atomic.Int64
	constant  [8][]byte
}

func number(name string) int64 {
	value, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s must be a number: %v", name, err))
	}
	return value
}

func newServer() *server {
	secret := []byte(os.Getenv("PEER_SECRET"))
	script, err := os.ReadFile(os.Getenv("PEER_SCRIPT"))
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum(script)
	s := &server{
		// A keyed hash that is reset costs two copies of a state; a new one hashes the key again.
		hashes:    sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }},
		script:    string(script),
		scriptSHA: hex.EncodeToString(sum[:]),
		rate:      os.Getenv("PEER_RATE"),
		windowMS:  os.Getenv("PEER_WINDOW_MS"),
		window:    number("PEER_WINDOW_MS"),
		soldOutMS: number("PEER_SOLD_OUT_MS"),
		pool: &redis.Pool{
			MaxIdle: poolSize, MaxActive: poolSize, Wait: true,
			Dial: func() (redis.Conn, error) {
				return redis.Dial("unix", os.Getenv("PEER_REDIS"), redis.DialConnectTimeout(2*time.Second),
					redis.DialReadTimeout(2*time.Second), redis.DialWriteTimeout(2*time.Second))
			},
		},
	}
	for index, outcome := range outcomes {
		s.constant[index] = []byte(`{"outcome":"` + outcome + `"}`)
	}
	s.constant[soldOut] = []byte(`{"outcome":"sold_out","left":0}`)
	return s
}

func (s *server) isHS256(header string) bool {
	if _, known := s.headers.Load(header); known {
		return true
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	var members map[string]any
	if json.Unmarshal(text, &members) != nil || members["alg"] != "HS256" || members["crit"] != nil {
		return false
	}
	s.headers.Store(header, true)
	return true
}

// shopper returns whose valid token an Authorization header holds, or "".
func (s *server) shopper(authorization string, now time.Time) string {
	if !strings.HasPrefix(authorization, "Bearer ") {
		return ""
	}
	token := authorization[7:]
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first < 1 || last == first || !s.isHS256(token[:first]) {
		return ""
	}
	var given [48]byte
	if base64.RawURLEncoding.DecodedLen(len(token)-last-1) > len(given) {
		return ""
	}
	size, err := base64.RawURLEncoding.Decode(given[:], []byte(token[last+1:]))
	if err != nil {
		return ""
	}
	mac := s.hashes.Get().(hash.Hash)
	mac.Reset()
	mac.Write([]byte(token[:last]))
	var sum [32]byte
	same := hmac.Equal(mac.Sum(sum[:0]), given[:size])
	s.hashes.Put(mac)
	if !same {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(token[first+1 : last])
	if err != nil {
		return ""
	}
	var who claims
	if json.Unmarshal(text, &who) != nil || len(who.Subject) > 256 || float64(now.Unix()) >= who.ExpiresAt {
		return ""
	}
	return who.Subject
}

func (s *server) reply(c *gin.Context, outcome int, body []byte) {
	s.counts[outcome].Add(1)
	if body == nil {
		body = s.constant[outcome]
	}
	header := c.Writer.Header()
	header["Cache-Control"] = []string{"no-store"}
	c.Data(statuses[outcome], "application/json", body)
}

func (s *server) take(offer, shopper string, now time.Time) (string, error) {
	connection := s.pool.Get()
	defer connection.Close()
	tag := "{" + offer + "}"
	rates := tag + ":rates:" + strconv.FormatInt(now.UnixMilli()/s.window, 10)
	decided, err := redis.String(connection.Do("EVALSHA", s.scriptSHA, 4, tag, tag+":buyers", rates, tag+":stream",
		offer, shopper, s.rate, s.windowMS))
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		return redis.String(connection.Do("EVAL", s.script, 4, tag, tag+":buyers", rates, tag+":stream",
			offer, shopper, s.rate, s.windowMS))
	}
	return decided, err
}

func (s *server) click(c *gin.Context) {
	now := time.Now()
	shopper := s.shopper(c.GetHeader("Authorization"), now)
	if shopper == "" {
		s.reply(c, unauthenticated, nil)
		return
	}
	offer := c.Param("offer")
	if until, known := s.refusals.Load(offer); known && now.UnixMilli() < until.(int64) {
		s.reply(c, soldOut, nil)
		return
	}
	decided, err := s.take(offer, shopper, now)
	if err != nil || decided == "" {
		s.reply(c, unavailable, nil)
		return
	}
	switch decided[0] {
	case 'W':
		s.reply(c, won, ticket(outcomes[won], offer, decided[1:]))
	case 'A':
		s.reply(c, alreadyWon, ticket(outcomes[alreadyWon], offer, decided[1:]))
	case 'S':
		s.refusals.Store(offer, time.Now().UnixMilli()+s.soldOutMS)
		s.reply(c, soldOut, nil)
	case 'R':
		s.reply(c, rateLimited, nil)
	case 'C':
		s.reply(c, closed, nil)
	default:
		s.reply(c, notFound, nil)
	}
}

// ticket is the body for 'order_no,unit,price,pay_by_ms'.
func ticket(outcome, offer, text string) []byte {
	orderNo, rest, _ := strings.Cut(text, ",")
	unit, rest, _ := strings.Cut(rest, ",")
	price, payByMS, _ := strings.Cut(rest, ",")
	return []byte(`{"outcome":"` + outcome + `","order_no":"` + orderNo + `","offer":"` + offer + `","units":[` + unit +
		`],"quantity":1,"price":` + price + `,"pay_by_ms":` + payByMS + `}`)
}

func (s *server) counters(c *gin.Context) {
	found := map[string]int64{}
	for index, outcome := range outcomes {
		found[outcome] = s.counts[index].Load()
	}
	c.JSON(http.StatusOK, found)
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	s := newServer()
	router := gin.New() // without logging
	router.POST("/seckill/:offer", s.click)
	router.GET("/counters", s.counters)
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PEER_PORT"), router); err != nil {
		panic(err)
	}
}

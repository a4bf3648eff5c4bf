#include "server/resp/command_table.h"

#include <array>
#include <cstddef>
#include <utility>

namespace starling::resp {
namespace {

using namespace flag;

// One command reads better in three lines than in twelve.
// clang-format off
constexpr CommandFacts object_subcommands[] = {
    {"object|encoding", 3, readonly, 2, 2, 1, Group::generic, "2.2.3",
     "In which form a value is kept", ReplyShape::bulk_or_nil, {},
     "key"},
    {"object|freq", 3, readonly, 2, 2, 1, Group::generic, "4.0.0",
     "How often a key is used, on a logarithmic scale", ReplyShape::integer, {},
     "key"},
    {"object|help", 2, loading | stale, 0, 0, 0, Group::generic, "6.2.0",
     "What OBJECT can do", ReplyShape::array, {},
     ""},
    {"object|idletime", 3, readonly, 2, 2, 1, Group::generic, "2.2.3",
     "Seconds since a key was last used", ReplyShape::integer, {},
     "key"},
    {"object|refcount", 3, readonly, 2, 2, 1, Group::generic, "2.2.3",
     "How many references there are to a value", ReplyShape::integer, {},
     "key"},
};

constexpr CommandFacts pubsub_subcommands[] = {
    {"pubsub|channels", -2, pubsub | loading | stale, 0, 0, 0, Group::pubsub, "2.8.0",
     "The channels somebody listens to", ReplyShape::set, {},
     "[pattern]"},
    {"pubsub|help", 2, loading | stale, 0, 0, 0, Group::pubsub, "6.2.0",
     "What PUBSUB can do", ReplyShape::array, {},
     ""},
    {"pubsub|numpat", 2, pubsub | loading | stale, 0, 0, 0, Group::pubsub, "2.8.0",
     "How many patterns are listened to", ReplyShape::integer, {},
     ""},
    {"pubsub|numsub", -2, pubsub | loading | stale, 0, 0, 0, Group::pubsub, "2.8.0",
     "How many listen to each of these channels", ReplyShape::map, {},
     "[channel [channel ...]]"},
};

constexpr CommandFacts client_subcommands[] = {
    {"client|getname", 2, noscript | loading | stale, 0, 0, 0, Group::connection, "2.6.9",
     "The name of this connection", ReplyShape::bulk_or_nil, {},
     ""},
    {"client|help", 2, loading | stale, 0, 0, 0, Group::connection, "5.0.0",
     "What CLIENT can do", ReplyShape::array, {},
     ""},
    {"client|id", 2, noscript | loading | stale, 0, 0, 0, Group::connection, "5.0.0",
     "The number of this connection", ReplyShape::integer, {},
     ""},
    {"client|info", 2, noscript | loading | stale, 0, 0, 0, Group::connection, "6.2.0",
     "Facts about this connection", ReplyShape::text, {},
     ""},
    {"client|kill", -3, admin | noscript | loading | stale, 0, 0, 0, Group::connection, "2.4.0",
     "Closes connections", ReplyShape::mixed, {},
     "ip:port|[ID client-id] [TYPE normal|master|replica|pubsub] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME yes|no]"},
    {"client|list", -2, admin | noscript | loading | stale, 0, 0, 0, Group::connection, "2.4.0",
     "Facts about all connections", ReplyShape::text, {},
     "[TYPE normal|master|replica|pubsub] [ID client-id [client-id ...]]"},
    {"client|no-evict", 3, admin | noscript | loading | stale, 0, 0, 0, Group::connection, "7.0.0",
     "Whether this connection may be closed to save memory", ReplyShape::ok, {},
     "ON|OFF"},
    {"client|pause", -3, admin | noscript | loading | stale, 0, 0, 0, Group::connection, "2.9.50",
     "Lets clients wait for some milliseconds", ReplyShape::ok, {},
     "timeout [WRITE|ALL]"},
    {"client|reply", 3, noscript | loading | stale, 0, 0, 0, Group::connection, "3.2.0",
     "Whether this connection gets replies", ReplyShape::ok, {},
     "ON|OFF|SKIP"},
    {"client|setname", 3, noscript | loading | stale, 0, 0, 0, Group::connection, "2.6.9",
     "Names this connection", ReplyShape::ok, {},
     "name"},
    {"client|unpause", 2, admin | noscript | loading | stale, 0, 0, 0, Group::connection, "6.2.0",
     "Ends a pause", ReplyShape::ok, {},
     ""},
};

constexpr CommandFacts config_subcommands[] = {
    {"config|get", -3, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.0.0",
     "The values of settings, by name or pattern", ReplyShape::map, {},
     "parameter [parameter ...]"},
    {"config|help", 2, loading | stale, 0, 0, 0, Group::server, "5.0.0",
     "What CONFIG can do", ReplyShape::array, {},
     ""},
    {"config|resetstat", 2, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.0.0",
     "Sets the counts of INFO to zero", ReplyShape::ok, {},
     ""},
    {"config|set", -4, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.0.0",
     "Changes settings while the server runs", ReplyShape::ok, {},
     "parameter value [parameter value ...]"},
};

constexpr CommandFacts command_subcommands[] = {
    {"command|count", 2, loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "How many commands there are", ReplyShape::integer, {},
     ""},
    {"command|docs", -2, loading | stale, 0, 0, 0, Group::server, "7.0.0",
     "What commands are for", ReplyShape::map, {},
     "[command [command ...]]"},
    {"command|getkeys", -4, loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "Which arguments of a command are keys", ReplyShape::array, {},
     "command [argument ...]"},
    {"command|getkeysandflags", -4, loading | stale, 0, 0, 0, Group::server, "7.0.0",
     "Which arguments of a command are keys, and what happens to them", ReplyShape::array, {},
     "command [argument ...]"},
    {"command|help", 2, loading | stale, 0, 0, 0, Group::server, "5.0.0",
     "What COMMAND can do", ReplyShape::array, {},
     ""},
    {"command|info", -2, loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "Arity, flags and key positions of commands", ReplyShape::array, {},
     "[command [command ...]]"},
    {"command|list", -2, loading | stale, 0, 0, 0, Group::server, "7.0.0",
     "The names of commands", ReplyShape::set, {},
     "[FILTERBY MODULE module|ACLCAT category|PATTERN pattern]"},
};

constexpr CommandFacts slowlog_subcommands[] = {
    {"slowlog|get", -2, admin | loading | stale, 0, 0, 0, Group::server, "2.2.12",
     "The latest of them", ReplyShape::array, {},
     "[count]"},
    {"slowlog|help", 2, loading | stale, 0, 0, 0, Group::server, "6.2.0",
     "What SLOWLOG can do", ReplyShape::array, {},
     ""},
    {"slowlog|len", 2, admin | loading | stale, 0, 0, 0, Group::server, "2.2.12",
     "How many are kept", ReplyShape::integer, {},
     ""},
    {"slowlog|reset", 2, admin | loading | stale, 0, 0, 0, Group::server, "2.2.12",
     "Forgets them", ReplyShape::ok, {},
     ""},
};

constexpr CommandFacts latency_subcommands[] = {
    {"latency|doctor", 2, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "A report on delays", ReplyShape::text, {},
     ""},
    {"latency|help", 2, loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "What LATENCY can do", ReplyShape::array, {},
     ""},
    {"latency|history", 3, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "When and how long an event took", ReplyShape::array, {},
     "event"},
    {"latency|latest", 2, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "The latest delay of each event", ReplyShape::array, {},
     ""},
    {"latency|reset", -2, admin | noscript | loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "Forgets events", ReplyShape::integer, {},
     "[event [event ...]]"},
};

constexpr CommandFacts memory_subcommands[] = {
    {"memory|doctor", 2, no_flags, 0, 0, 0, Group::server, "4.0.0",
     "A report on memory", ReplyShape::text, {},
     ""},
    {"memory|help", 2, loading | stale, 0, 0, 0, Group::server, "4.0.0",
     "What MEMORY can do", ReplyShape::array, {},
     ""},
    {"memory|stats", 2, no_flags, 0, 0, 0, Group::server, "4.0.0",
     "Memory in use, by purpose", ReplyShape::map, {},
     ""},
    {"memory|usage", -3, readonly, 2, 2, 1, Group::server, "4.0.0",
     "About how many bytes a key takes", ReplyShape::integer_or_nil, {},
     "key [SAMPLES count]"},
};

constexpr CommandFacts module_subcommands[] = {
    {"module|help", 2, loading | stale, 0, 0, 0, Group::server, "5.0.0",
     "What MODULE can do", ReplyShape::array, {},
     ""},
    {"module|list", 2, admin | noscript, 0, 0, 0, Group::server, "4.0.0",
     "The loaded modules: none", ReplyShape::array, {},
     ""},
    {"module|load", -3, admin | noscript | no_async_loading, 0, 0, 0, Group::server, "4.0.0",
     "Refused here", ReplyShape::ok, {},
     "path [argument ...]"},
    {"module|unload", 3, admin | noscript | no_async_loading, 0, 0, 0, Group::server, "4.0.0",
     "Refused here", ReplyShape::ok, {},
     "name"},
};

constexpr CommandFacts function_subcommands[] = {
    {"function|delete", 3, write | noscript, 0, 0, 0, Group::scripting, "7.0.0",
     "Deletes a library", ReplyShape::ok, {},
     "library-name"},
    {"function|flush", -2, write | noscript, 0, 0, 0, Group::scripting, "7.0.0",
     "Deletes all libraries", ReplyShape::ok, {},
     "[ASYNC|SYNC]"},
    {"function|help", 2, loading | stale, 0, 0, 0, Group::scripting, "7.0.0",
     "What FUNCTION can do", ReplyShape::array, {},
     ""},
    {"function|list", -2, noscript, 0, 0, 0, Group::scripting, "7.0.0",
     "The libraries", ReplyShape::array, {},
     "[LIBRARYNAME pattern] [WITHCODE]"},
    {"function|load", -3, write | denyoom | noscript, 0, 0, 0, Group::scripting, "7.0.0",
     "Loads a library", ReplyShape::bulk, {},
     "[REPLACE] code"},
    {"function|stats", 2, noscript | allow_busy, 0, 0, 0, Group::scripting, "7.0.0",
     "What runs just now", ReplyShape::map, {},
     ""},
};

constexpr CommandFacts script_subcommands[] = {
    {"script|debug", 3, noscript, 0, 0, 0, Group::scripting, "3.2.0",
     "Refused here", ReplyShape::ok, {},
     "YES|SYNC|NO"},
    {"script|exists", -3, noscript, 0, 0, 0, Group::scripting, "2.6.0",
     "Which of these scripts are there: none", ReplyShape::array, {},
     "sha1 [sha1 ...]"},
    {"script|flush", -2, noscript, 0, 0, 0, Group::scripting, "2.6.0",
     "Forgets all scripts", ReplyShape::ok, {},
     "[ASYNC|SYNC]"},
    {"script|help", 2, loading | stale, 0, 0, 0, Group::scripting, "5.0.0",
     "What SCRIPT can do", ReplyShape::array, {},
     ""},
    {"script|kill", 2, noscript | allow_busy, 0, 0, 0, Group::scripting, "2.6.0",
     "Ends the script that runs: there is none", ReplyShape::ok, {},
     ""},
    {"script|load", 3, noscript | stale, 0, 0, 0, Group::scripting, "2.6.0",
     "Refused here: there is no script engine", ReplyShape::bulk, {},
     "script"},
};

constexpr CommandFacts cluster_subcommands[] = {
    {"cluster|countkeysinslot", 3, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "How many keys fall into a hash slot", ReplyShape::integer, {},
     "slot"},
    {"cluster|getkeysinslot", 4, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "Some keys of a hash slot", ReplyShape::array, {},
     "slot count"},
    {"cluster|help", 2, loading | stale, 0, 0, 0, Group::cluster, "5.0.0",
     "What CLUSTER can do", ReplyShape::array, {},
     ""},
    {"cluster|info", 2, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "The state of the cluster", ReplyShape::text, {},
     ""},
    {"cluster|keyslot", 3, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "The hash slot of a key", ReplyShape::integer, {},
     "key"},
    {"cluster|myid", 2, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "The name of this node", ReplyShape::bulk, {},
     ""},
    {"cluster|nodes", 2, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "The nodes", ReplyShape::text, {},
     ""},
    {"cluster|shards", 2, stale, 0, 0, 0, Group::cluster, "7.0.0",
     "Who serves which hash slots, by shard", ReplyShape::array, {},
     ""},
    {"cluster|slots", 2, stale, 0, 0, 0, Group::cluster, "3.0.0",
     "Who serves which hash slots", ReplyShape::array, {},
     ""},
};

constexpr CommandFacts commands[] = {
    // strings
    {"get", 2, readonly | fast, 1, 1, 1, Group::string, "1.0.0",
     "The value of a key", ReplyShape::bulk_or_nil, {},
     "key"},
    {"set", -3, write | denyoom, 1, 1, 1, Group::string, "1.0.0",
     "Stores a value under a key, whatever was there before", ReplyShape::mixed, {},
     "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]"},
    {"setnx", 3, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Stores a value only if the key is absent", ReplyShape::integer, {},
     "key value"},
    {"setex", 4, write | denyoom, 1, 1, 1, Group::string, "2.0.0",
     "Stores a value that expires after some seconds", ReplyShape::ok, {},
     "key seconds value"},
    {"psetex", 4, write | denyoom, 1, 1, 1, Group::string, "2.6.0",
     "Stores a value that expires after some milliseconds", ReplyShape::ok, {},
     "key milliseconds value"},
    {"getset", 3, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Stores a value and answers the one before it", ReplyShape::bulk_or_nil, {},
     "key value"},
    {"getdel", 2, write | fast, 1, 1, 1, Group::string, "6.2.0",
     "Answers the value of a key and deletes the key", ReplyShape::bulk_or_nil, {},
     "key"},
    {"getex", -2, write | fast, 1, 1, 1, Group::string, "6.2.0",
     "Answers the value of a key and changes when it expires", ReplyShape::bulk_or_nil, {},
     "key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]"},
    {"mget", -2, readonly | fast, 1, -1, 1, Group::string, "1.0.0",
     "The values of several keys", ReplyShape::array, {},
     "key [key ...]"},
    {"mset", -3, write | denyoom, 1, -1, 2, Group::string, "1.0.1",
     "Stores several values at once", ReplyShape::ok, {},
     "key value [key value ...]"},
    {"msetnx", -3, write | denyoom, 1, -1, 2, Group::string, "1.0.1",
     "Stores several values at once, or none if one of the keys exists", ReplyShape::integer, {},
     "key value [key value ...]"},
    {"append", 3, write | denyoom | fast, 1, 1, 1, Group::string, "2.0.0",
     "Adds bytes to the end of a value", ReplyShape::integer, {},
     "key value"},
    {"strlen", 2, readonly | fast, 1, 1, 1, Group::string, "2.2.0",
     "The number of bytes in a value", ReplyShape::integer, {},
     "key"},
    {"getrange", 4, readonly, 1, 1, 1, Group::string, "2.4.0",
     "Some bytes out of a value", ReplyShape::bulk, {},
     "key start end"},
    {"setrange", 4, write | denyoom, 1, 1, 1, Group::string, "2.2.0",
     "Writes bytes over a value from an offset on", ReplyShape::integer, {},
     "key offset value"},
    {"substr", 4, readonly, 1, 1, 1, Group::string, "1.0.0",
     "GETRANGE by its first name", ReplyShape::bulk, {},
     "key start end"},
    {"lcs", -3, readonly, 1, 2, 1, Group::string, "7.0.0",
     "The longest text that two values share as a subsequence", ReplyShape::mixed, {},
     "key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]"},
    {"incr", 2, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Adds one to a number", ReplyShape::integer, {},
     "key"},
    {"decr", 2, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Takes one from a number", ReplyShape::integer, {},
     "key"},
    {"incrby", 3, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Adds an integer to a number", ReplyShape::integer, {},
     "key increment"},
    {"decrby", 3, write | denyoom | fast, 1, 1, 1, Group::string, "1.0.0",
     "Takes an integer from a number", ReplyShape::integer, {},
     "key decrement"},
    {"incrbyfloat", 3, write | denyoom | fast, 1, 1, 1, Group::string, "2.6.0",
     "Adds a decimal number to a number", ReplyShape::number, {},
     "key increment"},
    // keys
    {"del", -2, write, 1, -1, 1, Group::generic, "1.0.0",
     "Deletes keys and counts those that were there", ReplyShape::integer, {},
     "key [key ...]"},
    {"unlink", -2, write | fast, 1, -1, 1, Group::generic, "4.0.0",
     "Deletes keys and counts those that were there", ReplyShape::integer, {},
     "key [key ...]"},
    {"exists", -2, readonly | fast, 1, -1, 1, Group::generic, "1.0.0",
     "How many of the named keys exist", ReplyShape::integer, {},
     "key [key ...]"},
    {"type", 2, readonly | fast, 1, 1, 1, Group::generic, "1.0.0",
     "Which type of value a key holds", ReplyShape::status, {},
     "key"},
    {"keys", 2, readonly, 0, 0, 0, Group::generic, "1.0.0",
     "All keys that fit a pattern", ReplyShape::set, {},
     "pattern"},
    {"scan", -2, readonly, 0, 0, 0, Group::generic, "2.8.0",
     "The keys of a database, piece by piece", ReplyShape::scan, {},
     "cursor [MATCH pattern] [COUNT count] [TYPE type]"},
    {"randomkey", 1, readonly, 0, 0, 0, Group::generic, "1.0.0",
     "Any key of the database", ReplyShape::random, {},
     ""},
    {"rename", 3, write, 1, 2, 1, Group::generic, "1.0.0",
     "Gives a value another key, over what that key held", ReplyShape::ok, {},
     "key newkey"},
    {"renamenx", 3, write | fast, 1, 2, 1, Group::generic, "1.0.0",
     "Gives a value another key if that key is absent", ReplyShape::integer, {},
     "key newkey"},
    {"copy", -3, write | denyoom, 1, 2, 1, Group::generic, "6.2.0",
     "Copies a value to another key", ReplyShape::integer, {},
     "source destination [DB database] [REPLACE]"},
    {"touch", -2, readonly | fast, 1, -1, 1, Group::generic, "3.2.1",
     "Marks keys as used and counts those that exist", ReplyShape::integer, {},
     "key [key ...]"},
    {"object", -2, no_flags, 0, 0, 0, Group::generic, "2.2.3",
     "How a value is kept inside", ReplyShape::mixed, object_subcommands,
     "subcommand ..."},
    {"expire", -3, write | fast, 1, 1, 1, Group::generic, "1.0.0",
     "Lets a key expire after some seconds", ReplyShape::integer, {},
     "key seconds [NX|XX|GT|LT]"},
    {"pexpire", -3, write | fast, 1, 1, 1, Group::generic, "2.6.0",
     "Lets a key expire after some milliseconds", ReplyShape::integer, {},
     "key milliseconds [NX|XX|GT|LT]"},
    {"expireat", -3, write | fast, 1, 1, 1, Group::generic, "1.2.0",
     "Lets a key expire at a time given in seconds", ReplyShape::integer, {},
     "key unix-seconds [NX|XX|GT|LT]"},
    {"pexpireat", -3, write | fast, 1, 1, 1, Group::generic, "2.6.0",
     "Lets a key expire at a time given in milliseconds", ReplyShape::integer, {},
     "key unix-milliseconds [NX|XX|GT|LT]"},
    {"ttl", 2, readonly | fast, 1, 1, 1, Group::generic, "1.0.0",
     "Seconds until a key expires", ReplyShape::seconds_left, {},
     "key"},
    {"pttl", 2, readonly | fast, 1, 1, 1, Group::generic, "2.6.0",
     "Milliseconds until a key expires", ReplyShape::milliseconds_left, {},
     "key"},
    {"expiretime", 2, readonly | fast, 1, 1, 1, Group::generic, "7.0.0",
     "The second at which a key expires", ReplyShape::integer, {},
     "key"},
    {"pexpiretime", 2, readonly | fast, 1, 1, 1, Group::generic, "7.0.0",
     "The millisecond at which a key expires", ReplyShape::integer, {},
     "key"},
    {"persist", 2, write | fast, 1, 1, 1, Group::generic, "2.2.0",
     "Lets a key live on without an end", ReplyShape::integer, {},
     "key"},
    {"dbsize", 1, readonly | fast, 0, 0, 0, Group::server, "1.0.0",
     "How many keys the database holds", ReplyShape::integer, {},
     ""},
    {"flushdb", -1, write, 0, 0, 0, Group::server, "1.0.0",
     "Deletes every key of the database", ReplyShape::ok, {},
     "[ASYNC|SYNC]"},
    {"flushall", -1, write, 0, 0, 0, Group::server, "1.0.0",
     "Deletes every key of all databases", ReplyShape::ok, {},
     "[ASYNC|SYNC]"},
    {"move", 3, write | fast, 1, 1, 1, Group::generic, "1.0.0",
     "Puts a key into another database", ReplyShape::integer, {},
     "key database"},
    {"swapdb", 3, write | fast, 0, 0, 0, Group::server, "4.0.0",
     "Exchanges two databases", ReplyShape::ok, {},
     "index1 index2"},
    // hashes
    {"hdel", -3, write | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Deletes fields and the key with the last of them", ReplyShape::integer, {},
     "key field [field ...]"},
    {"hexists", 3, readonly | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Whether a hash has a field", ReplyShape::integer, {},
     "key field"},
    {"hget", 3, readonly | fast, 1, 1, 1, Group::hash, "2.0.0",
     "The value of one field", ReplyShape::bulk_or_nil, {},
     "key field"},
    {"hgetall", 2, readonly, 1, 1, 1, Group::hash, "2.0.0",
     "All fields with their values", ReplyShape::map, {},
     "key"},
    {"hincrby", 4, write | denyoom | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Adds an integer to a field", ReplyShape::integer, {},
     "key field increment"},
    {"hincrbyfloat", 4, write | denyoom | fast, 1, 1, 1, Group::hash, "2.6.0",
     "Adds a decimal number to a field", ReplyShape::number, {},
     "key field increment"},
    {"hkeys", 2, readonly, 1, 1, 1, Group::hash, "2.0.0",
     "The names of all fields", ReplyShape::set, {},
     "key"},
    {"hlen", 2, readonly | fast, 1, 1, 1, Group::hash, "2.0.0",
     "How many fields a hash has", ReplyShape::integer, {},
     "key"},
    {"hmget", -3, readonly | fast, 1, 1, 1, Group::hash, "2.0.0",
     "The values of several fields", ReplyShape::array, {},
     "key field [field ...]"},
    {"hmset", -4, write | denyoom | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Sets fields; HSET answers more", ReplyShape::ok, {},
     "key field value [field value ...]"},
    {"hrandfield", -2, readonly, 1, 1, 1, Group::hash, "6.2.0",
     "Any fields of a hash", ReplyShape::random, {},
     "key [count [WITHVALUES]]"},
    {"hscan", -3, readonly, 1, 1, 1, Group::hash, "2.8.0",
     "The fields of a hash with their values, piece by piece", ReplyShape::scan, {},
     "key cursor [MATCH pattern] [COUNT count]"},
    {"hset", -4, write | denyoom | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Sets fields and counts the new ones", ReplyShape::integer, {},
     "key field value [field value ...]"},
    {"hsetnx", 4, write | denyoom | fast, 1, 1, 1, Group::hash, "2.0.0",
     "Sets a field only if it is absent", ReplyShape::integer, {},
     "key field value"},
    {"hstrlen", 3, readonly | fast, 1, 1, 1, Group::hash, "3.2.0",
     "The number of bytes in the value of a field", ReplyShape::integer, {},
     "key field"},
    {"hvals", 2, readonly, 1, 1, 1, Group::hash, "2.0.0",
     "The values of all fields", ReplyShape::set, {},
     "key"},
    // sets
    {"sadd", -3, write | denyoom | fast, 1, 1, 1, Group::set, "1.0.0",
     "Adds members and counts the new ones", ReplyShape::integer, {},
     "key member [member ...]"},
    {"scard", 2, readonly | fast, 1, 1, 1, Group::set, "1.0.0",
     "How many members a set has", ReplyShape::integer, {},
     "key"},
    {"sdiff", -2, readonly, 1, -1, 1, Group::set, "1.0.0",
     "What the first set has and no other one", ReplyShape::set, {},
     "key [key ...]"},
    {"sdiffstore", -3, write | denyoom, 1, -1, 1, Group::set, "1.0.0",
     "Stores what the first set has and no other one", ReplyShape::integer, {},
     "destination key [key ...]"},
    {"sinter", -2, readonly, 1, -1, 1, Group::set, "1.0.0",
     "What all the sets have", ReplyShape::set, {},
     "key [key ...]"},
    {"sintercard", -3, readonly | movablekeys, 0, 0, 0, Group::set, "7.0.0",
     "How much all the sets have in common", ReplyShape::integer, {},
     "numkeys key [key ...] [LIMIT limit]"},
    {"sinterstore", -3, write | denyoom, 1, -1, 1, Group::set, "1.0.0",
     "Stores what all the sets have", ReplyShape::integer, {},
     "destination key [key ...]"},
    {"sismember", 3, readonly | fast, 1, 1, 1, Group::set, "1.0.0",
     "Whether a set has a member", ReplyShape::integer, {},
     "key member"},
    {"smembers", 2, readonly, 1, 1, 1, Group::set, "1.0.0",
     "All members of a set", ReplyShape::set, {},
     "key"},
    {"smismember", -3, readonly | fast, 1, 1, 1, Group::set, "6.2.0",
     "For each member whether the set has it", ReplyShape::array, {},
     "key member [member ...]"},
    {"smove", 4, write | fast, 1, 2, 1, Group::set, "1.0.0",
     "Takes a member out of one set and puts it into another", ReplyShape::integer, {},
     "source destination member"},
    {"spop", -2, write | fast, 1, 1, 1, Group::set, "1.0.0",
     "Takes any members out of a set", ReplyShape::random, {},
     "key [count]"},
    {"srandmember", -2, readonly, 1, 1, 1, Group::set, "1.0.0",
     "Any members of a set, which stay there", ReplyShape::random, {},
     "key [count]"},
    {"srem", -3, write | fast, 1, 1, 1, Group::set, "1.0.0",
     "Removes members and counts those that were there", ReplyShape::integer, {},
     "key member [member ...]"},
    {"sscan", -3, readonly, 1, 1, 1, Group::set, "2.8.0",
     "The members of a set, piece by piece", ReplyShape::scan, {},
     "key cursor [MATCH pattern] [COUNT count]"},
    {"sunion", -2, readonly, 1, -1, 1, Group::set, "1.0.0",
     "What any of the sets has", ReplyShape::set, {},
     "key [key ...]"},
    {"sunionstore", -3, write | denyoom, 1, -1, 1, Group::set, "1.0.0",
     "Stores what any of the sets has", ReplyShape::integer, {},
     "destination key [key ...]"},
    // sorted sets
    {"zadd", -4, write | denyoom | fast, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Adds members with scores, or gives them new scores", ReplyShape::mixed, {},
     "key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]"},
    {"zcard", 2, readonly | fast, 1, 1, 1, Group::sorted_set, "1.2.0",
     "How many members a sorted set has", ReplyShape::integer, {},
     "key"},
    {"zcount", 4, readonly | fast, 1, 1, 1, Group::sorted_set, "2.0.0",
     "How many members have a score in a range", ReplyShape::integer, {},
     "key min max"},
    {"zdiff", -3, readonly | movablekeys, 0, 0, 0, Group::sorted_set, "6.2.0",
     "What the first sorted set has and no other one", ReplyShape::scored, {},
     "numkeys key [key ...] [WITHSCORES]"},
    {"zdiffstore", -4, write | denyoom | movablekeys, 1, 1, 1, Group::sorted_set, "6.2.0",
     "Stores what the first sorted set has and no other one", ReplyShape::integer, {},
     "destination numkeys key [key ...]"},
    {"zincrby", 4, write | denyoom | fast, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Adds to the score of a member", ReplyShape::number, {},
     "key increment member"},
    {"zinter", -3, readonly | movablekeys, 0, 0, 0, Group::sorted_set, "6.2.0",
     "What all the sorted sets have, with combined scores", ReplyShape::scored, {},
     "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]"},
    {"zintercard", -3, readonly | movablekeys, 0, 0, 0, Group::sorted_set, "7.0.0",
     "How much all the sorted sets have in common", ReplyShape::integer, {},
     "numkeys key [key ...] [LIMIT limit]"},
    {"zinterstore", -4, write | denyoom | movablekeys, 1, 1, 1, Group::sorted_set, "2.0.0",
     "Stores what all the sorted sets have, with combined scores", ReplyShape::integer, {},
     "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX]"},
    {"zlexcount", 4, readonly | fast, 1, 1, 1, Group::sorted_set, "2.8.9",
     "How many members lie between two in byte order", ReplyShape::integer, {},
     "key min max"},
    {"zmpop", -4, write | movablekeys, 0, 0, 0, Group::sorted_set, "7.0.0",
     "Takes the lowest or highest members out of the first sorted set that has any", ReplyShape::mixed, {},
     "numkeys key [key ...] MIN|MAX [COUNT count]"},
    {"zmscore", -3, readonly | fast, 1, 1, 1, Group::sorted_set, "6.2.0",
     "The scores of several members", ReplyShape::array, {},
     "key member [member ...]"},
    {"zpopmax", -2, write | fast, 1, 1, 1, Group::sorted_set, "5.0.0",
     "Takes out the members with the highest scores", ReplyShape::scored, {},
     "key [count]"},
    {"zpopmin", -2, write | fast, 1, 1, 1, Group::sorted_set, "5.0.0",
     "Takes out the members with the lowest scores", ReplyShape::scored, {},
     "key [count]"},
    {"zrandmember", -2, readonly, 1, 1, 1, Group::sorted_set, "6.2.0",
     "Any members of a sorted set", ReplyShape::random, {},
     "key [count [WITHSCORES]]"},
    {"zrange", -4, readonly, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Members in a range of ranks, scores or bytes", ReplyShape::scored, {},
     "key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"},
    {"zrangebylex", -4, readonly, 1, 1, 1, Group::sorted_set, "2.8.9",
     "Members between two in byte order", ReplyShape::array, {},
     "key min max [LIMIT offset count]"},
    {"zrangebyscore", -4, readonly, 1, 1, 1, Group::sorted_set, "1.0.5",
     "Members with a score in a range", ReplyShape::scored, {},
     "key min max [WITHSCORES] [LIMIT offset count]"},
    {"zrangestore", -5, write | denyoom, 1, 2, 1, Group::sorted_set, "6.2.0",
     "Stores what ZRANGE would answer", ReplyShape::integer, {},
     "destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]"},
    {"zrank", 3, readonly | fast, 1, 1, 1, Group::sorted_set, "2.0.0",
     "The place of a member, counted from the lowest score", ReplyShape::integer_or_nil, {},
     "key member"},
    {"zrem", -3, write | fast, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Removes members and counts those that were there", ReplyShape::integer, {},
     "key member [member ...]"},
    {"zremrangebylex", 4, write, 1, 1, 1, Group::sorted_set, "2.8.9",
     "Removes members between two in byte order", ReplyShape::integer, {},
     "key min max"},
    {"zremrangebyrank", 4, write, 1, 1, 1, Group::sorted_set, "2.0.0",
     "Removes members in a range of ranks", ReplyShape::integer, {},
     "key start stop"},
    {"zremrangebyscore", 4, write, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Removes members with a score in a range", ReplyShape::integer, {},
     "key min max"},
    {"zrevrange", -4, readonly, 1, 1, 1, Group::sorted_set, "1.2.0",
     "Members in a range of ranks, the highest score first", ReplyShape::scored, {},
     "key start stop [WITHSCORES]"},
    {"zrevrangebylex", -4, readonly, 1, 1, 1, Group::sorted_set, "2.8.9",
     "Members between two in byte order, backwards", ReplyShape::array, {},
     "key max min [LIMIT offset count]"},
    {"zrevrangebyscore", -4, readonly, 1, 1, 1, Group::sorted_set, "2.2.0",
     "Members with a score in a range, the highest first", ReplyShape::scored, {},
     "key max min [WITHSCORES] [LIMIT offset count]"},
    {"zrevrank", 3, readonly | fast, 1, 1, 1, Group::sorted_set, "2.0.0",
     "The place of a member, counted from the highest score", ReplyShape::integer_or_nil, {},
     "key member"},
    {"zscan", -3, readonly, 1, 1, 1, Group::sorted_set, "2.8.0",
     "The members of a sorted set with their scores, piece by piece", ReplyShape::scan, {},
     "key cursor [MATCH pattern] [COUNT count]"},
    {"zscore", 3, readonly | fast, 1, 1, 1, Group::sorted_set, "1.2.0",
     "The score of a member", ReplyShape::number_or_nil, {},
     "key member"},
    {"zunion", -3, readonly | movablekeys, 0, 0, 0, Group::sorted_set, "6.2.0",
     "What any of the sorted sets has, with combined scores", ReplyShape::scored, {},
     "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]"},
    {"zunionstore", -4, write | denyoom | movablekeys, 1, 1, 1, Group::sorted_set, "2.0.0",
     "Stores what any of the sorted sets has, with combined scores", ReplyShape::integer, {},
     "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX]"},
    // transactions
    {"multi", 1, noscript | loading | stale | fast | allow_busy, 0, 0, 0, Group::transactions, "1.2.0",
     "Begins a transaction: what follows is queued", ReplyShape::ok, {},
     ""},
    {"exec", 1, noscript | loading | stale | skip_slowlog, 0, 0, 0, Group::transactions, "1.2.0",
     "Runs what was queued, all or nothing if a watched key changed", ReplyShape::mixed, {},
     ""},
    {"discard", 1, noscript | loading | stale | fast | allow_busy, 0, 0, 0, Group::transactions, "2.0.0",
     "Forgets what was queued", ReplyShape::ok, {},
     ""},
    {"watch", -2, noscript | loading | stale | fast | allow_busy, 1, -1, 1, Group::transactions, "2.2.0",
     "Makes the next EXEC depend on keys staying as they are", ReplyShape::ok, {},
     "key [key ...]"},
    {"unwatch", 1, noscript | loading | stale | fast | allow_busy, 0, 0, 0, Group::transactions, "2.2.0",
     "Forgets all watched keys", ReplyShape::ok, {},
     ""},
    // publish and subscribe
    {"subscribe", -2, pubsub | noscript | loading | stale, 0, 0, 0, Group::pubsub, "2.0.0",
     "Listens to channels", ReplyShape::push, {},
     "channel [channel ...]"},
    {"unsubscribe", -1, pubsub | noscript | loading | stale, 0, 0, 0, Group::pubsub, "2.0.0",
     "Stops listening to channels, or to all", ReplyShape::push, {},
     "[channel [channel ...]]"},
    {"psubscribe", -2, pubsub | noscript | loading | stale, 0, 0, 0, Group::pubsub, "2.0.0",
     "Listens to the channels that fit patterns", ReplyShape::push, {},
     "pattern [pattern ...]"},
    {"punsubscribe", -1, pubsub | noscript | loading | stale, 0, 0, 0, Group::pubsub, "2.0.0",
     "Stops listening to patterns, or to all", ReplyShape::push, {},
     "[pattern [pattern ...]]"},
    {"publish", 3, pubsub | loading | stale | fast, 0, 0, 0, Group::pubsub, "2.0.0",
     "Sends a message to those who listen to a channel", ReplyShape::integer, {},
     "channel message"},
    {"pubsub", -2, no_flags, 0, 0, 0, Group::pubsub, "2.8.0",
     "Who listens to what", ReplyShape::mixed, pubsub_subcommands,
     "subcommand ..."},
    // connection
    {"ping", -1, fast, 0, 0, 0, Group::connection, "1.0.0",
     "Answers PONG, or the message", ReplyShape::mixed, {},
     "[message]"},
    {"echo", 2, loading | stale | fast, 0, 0, 0, Group::connection, "1.0.0",
     "Answers the message", ReplyShape::bulk, {},
     "message"},
    {"quit", -1, noscript | loading | stale | fast | no_auth | allow_busy, 0, 0, 0, Group::connection, "1.0.0",
     "Ends the connection", ReplyShape::ok, {},
     ""},
    {"reset", 1, noscript | loading | stale | fast | no_auth | allow_busy, 0, 0, 0, Group::connection, "6.2.0",
     "Puts the connection back to how it began", ReplyShape::status, {},
     ""},
    {"auth", -2, noscript | loading | stale | fast | no_auth | allow_busy, 0, 0, 0, Group::connection, "1.0.0",
     "Tells who the client is", ReplyShape::ok, {},
     "[username] password"},
    {"hello", -1, noscript | loading | stale | fast | no_auth | allow_busy, 0, 0, 0, Group::connection, "6.0.0",
     "Chooses the protocol and says what the server is", ReplyShape::map, {},
     "[protover [AUTH username password] [SETNAME clientname]]"},
    {"select", 2, loading | stale | fast, 0, 0, 0, Group::connection, "1.0.0",
     "Chooses the database of this connection", ReplyShape::ok, {},
     "index"},
    {"client", -2, no_flags, 0, 0, 0, Group::connection, "2.4.0",
     "About connections", ReplyShape::mixed, client_subcommands,
     "subcommand ..."},
    // server
    {"config", -2, no_flags, 0, 0, 0, Group::server, "2.0.0",
     "Settings", ReplyShape::mixed, config_subcommands,
     "subcommand ..."},
    {"command", -1, loading | stale, 0, 0, 0, Group::server, "2.8.13",
     "What commands there are", ReplyShape::mixed, command_subcommands,
     "[subcommand ...]"},
    {"info", -1, loading | stale, 0, 0, 0, Group::server, "1.0.0",
     "Facts and counts of the server", ReplyShape::text, {},
     "[section [section ...]]"},
    {"time", 1, loading | stale | fast, 0, 0, 0, Group::server, "2.6.0",
     "What the server's clock shows", ReplyShape::array, {},
     ""},
    {"lastsave", 1, loading | stale | fast, 0, 0, 0, Group::server, "1.0.0",
     "When the data last became durable", ReplyShape::integer, {},
     ""},
    {"role", 1, noscript | loading | stale | fast, 0, 0, 0, Group::server, "2.8.12",
     "The part the server plays among its peers", ReplyShape::array, {},
     ""},
    {"slowlog", -2, no_flags, 0, 0, 0, Group::server, "2.2.12",
     "Commands that took long", ReplyShape::mixed, slowlog_subcommands,
     "subcommand ..."},
    {"latency", -2, no_flags, 0, 0, 0, Group::server, "2.8.13",
     "Delays that were noticed", ReplyShape::mixed, latency_subcommands,
     "subcommand ..."},
    {"memory", -2, no_flags, 0, 0, 0, Group::server, "4.0.0",
     "Where memory goes", ReplyShape::mixed, memory_subcommands,
     "subcommand ..."},
    {"wait", 3, noscript, 0, 0, 0, Group::generic, "3.0.0",
     "Waits until peers have this connection's writes", ReplyShape::integer, {},
     "numreplicas timeout"},
    {"shutdown", -1, admin | noscript | loading | stale | no_multi | allow_busy, 0, 0, 0, Group::server, "1.0.0",
     "Stops the server", ReplyShape::none, {},
     "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"},
    {"replicaof", 3, admin | noscript | stale | no_async_loading, 0, 0, 0, Group::server, "5.0.0",
     "Refused here: peers are joined, not followed", ReplyShape::ok, {},
     "host|NO port|ONE"},
    {"slaveof", 3, admin | noscript | stale | no_async_loading, 0, 0, 0, Group::server, "1.0.0",
     "Refused here: REPLICAOF by its first name", ReplyShape::ok, {},
     "host|NO port|ONE"},
    {"module", -2, no_flags, 0, 0, 0, Group::server, "4.0.0",
     "Refused here: there are no modules", ReplyShape::mixed, module_subcommands,
     "subcommand ..."},
    // scripting
    {"eval", -3, noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "2.6.0",
     "Refused here: there is no script engine", ReplyShape::mixed, {},
     "script numkeys [key ...] [argument ...]"},
    {"evalsha", -3, noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "2.6.0",
     "Refused here: there is no script engine", ReplyShape::mixed, {},
     "sha1 numkeys [key ...] [argument ...]"},
    {"eval_ro", -3, readonly | noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "7.0.0",
     "Refused here: there is no script engine", ReplyShape::mixed, {},
     "script numkeys [key ...] [argument ...]"},
    {"evalsha_ro", -3, readonly | noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "7.0.0",
     "Refused here: there is no script engine", ReplyShape::mixed, {},
     "sha1 numkeys [key ...] [argument ...]"},
    {"fcall", -3, noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "7.0.0",
     "Refused here: there are no functions", ReplyShape::mixed, {},
     "function numkeys [key ...] [argument ...]"},
    {"fcall_ro", -3, readonly | noscript | stale | skip_monitor | no_mandatory_keys | movablekeys, 0, 0, 0, Group::scripting, "7.0.0",
     "Refused here: there are no functions", ReplyShape::mixed, {},
     "function numkeys [key ...] [argument ...]"},
    {"script", -2, no_flags, 0, 0, 0, Group::scripting, "2.6.0",
     "Scripts: there are none", ReplyShape::mixed, script_subcommands,
     "subcommand ..."},
    {"function", -2, no_flags, 0, 0, 0, Group::scripting, "7.0.0",
     "Libraries of functions: there are none", ReplyShape::mixed, function_subcommands,
     "subcommand ..."},
    // cluster
    {"cluster", -2, no_flags, 0, 0, 0, Group::cluster, "3.0.0",
     "Redis Cluster, which this is not", ReplyShape::mixed, cluster_subcommands,
     "subcommand ..."},
    {"readonly", 1, loading | stale | fast, 0, 0, 0, Group::cluster, "3.0.0",
     "Lets this connection read from a replica", ReplyShape::ok, {},
     ""},
    {"readwrite", 1, loading | stale | fast, 0, 0, 0, Group::cluster, "3.0.0",
     "Takes READONLY back", ReplyShape::ok, {},
     ""},
    // ours
    {"crdt.explain", 2, readonly | fast, 1, 1, 1, Group::starling, "0.1.0",
     "What lies under a key: dots, origins and times", ReplyShape::mixed, {},
     "key"},
    {"crdt.why", 2, readonly, 1, 1, 1, Group::starling, "0.1.0",
     "Why a key shows what it shows: the writes that met there and who won", ReplyShape::mixed, {},
     "key"},
    {"crdt.conflicts", -1, readonly, 0, 0, 0, Group::starling, "0.1.0",
     "The latest writes that met without knowing of each other", ReplyShape::mixed, {},
     "[COUNT count] [KEY key]"},
    {"session", -1, loading | stale | fast, 0, 0, 0, Group::starling, "0.1.0",
     "The token of what this connection has seen, or waits until the node has seen that of another", ReplyShape::mixed, {},
     "[token]"},
};
// clang-format on

constexpr char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool same_name(std::string_view lower_case, std::string_view any_case) {
  if (lower_case.size() != any_case.size()) {
    return false;
  }
  for (std::size_t i = 0; i < lower_case.size(); ++i) {
    if (lower_case[i] != lowered(any_case[i])) {
      return false;
    }
  }
  return true;
}

// An open hash table of positions in `commands`, made by the compiler.
constexpr std::size_t slot_count = 1024;  // so sparse that most searches look at one slot
constexpr std::uint8_t free_slot = 0xff;
static_assert(std::size(commands) < free_slot);

// FNV-1a, 32 bits.
constexpr std::size_t home_slot(std::string_view name) {
  std::uint32_t hash = 2166136261U;
  for (const char c : name) {
    hash = (hash ^ static_cast<std::uint8_t>(lowered(c))) * 16777619U;
  }
  return (hash ^ (hash >> 16U)) % slot_count;
}

constexpr auto slots = [] {
  std::array<std::uint8_t, slot_count> table{};
  table.fill(free_slot);
  for (std::size_t i = 0; i < std::size(commands); ++i) {
    std::size_t slot = home_slot(commands[i].name);
    while (table[slot] != free_slot) {
      slot = (slot + 1) % slot_count;
    }
    table[slot] = static_cast<std::uint8_t>(i);
  }
  return table;
}();

constexpr std::size_t longest_name = [] {
  std::size_t longest = 0;
  for (const CommandFacts& command : commands) {
    longest = command.name.size() > longest ? command.name.size() : longest;
  }
  return longest;
}();

}  // namespace

std::span<const CommandFacts> command_table() { return commands; }

const CommandFacts* find_command(std::string_view name) {
  if (name.size() > longest_name) {  // a stranger's megabytes are not worth hashing
    return nullptr;
  }
  for (std::size_t slot = home_slot(name); slots[slot] != free_slot;
       slot = (slot + 1) % slot_count) {
    const CommandFacts& command = commands[slots[slot]];
    if (same_name(command.name, name)) {
      return &command;
    }
  }
  return nullptr;
}

const CommandFacts* find_subcommand(const CommandFacts& container, std::string_view name) {
  for (const CommandFacts& subcommand : container.subcommands) {
    if (same_name(subcommand.name.substr(container.name.size() + 1), name)) {
      return &subcommand;
    }
  }
  return nullptr;
}

std::string_view group_name(Group group) {
  switch (group) {
    case Group::string:
      return "string";
    case Group::generic:
      return "generic";
    case Group::hash:
      return "hash";
    case Group::set:
      return "set";
    case Group::sorted_set:
      return "sorted-set";
    case Group::transactions:
      return "transactions";
    case Group::pubsub:
      return "pubsub";
    case Group::connection:
      return "connection";
    case Group::server:
      return "server";
    case Group::scripting:
      return "scripting";
    case Group::cluster:
      return "cluster";
    case Group::starling:
      return "starling";
  }
  std::unreachable();
}

std::string_view reply_shape_name(ReplyShape shape) {
  switch (shape) {
    case ReplyShape::none:
      return "none";
    case ReplyShape::ok:
      return "ok";
    case ReplyShape::status:
      return "status";
    case ReplyShape::integer:
      return "integer";
    case ReplyShape::integer_or_nil:
      return "integer_or_nil";
    case ReplyShape::bulk:
      return "bulk";
    case ReplyShape::bulk_or_nil:
      return "bulk_or_nil";
    case ReplyShape::text:
      return "text";
    case ReplyShape::number:
      return "number";
    case ReplyShape::number_or_nil:
      return "number_or_nil";
    case ReplyShape::array:
      return "array";
    case ReplyShape::scored:
      return "scored";
    case ReplyShape::set:
      return "set";
    case ReplyShape::map:
      return "map";
    case ReplyShape::random:
      return "random";
    case ReplyShape::scan:
      return "scan";
    case ReplyShape::seconds_left:
      return "seconds_left";
    case ReplyShape::milliseconds_left:
      return "milliseconds_left";
    case ReplyShape::push:
      return "push";
    case ReplyShape::mixed:
      return "mixed";
  }
  std::unreachable();
}

}  // namespace starling::resp

// Included before each C++ file of better-sqlite3. The headers of Node 24.19 and later let node::ObjectWrap add a cleanup
// hook and remove it in its destructor, which the garbage collector may call when there is no environment to ask: the
// process aborts (nodejs/node issue 65446). better-sqlite3 cleans up by itself; its objects get no such hook.
#include <node.h>

namespace node {
inline void NoHook(v8::Isolate*, void (*)(void*), void*) {}
}  // namespace node

#define AddEnvironmentCleanupHook NoHook
#define RemoveEnvironmentCleanupHook NoHook
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook

// Included before each C++ file of better-sqlite3. In the headers of Node 24.19 and later, node::ObjectWrap adds a
// cleanup hook and removes it in its destructor. The garbage collector may call that destructor when Node has no
// environment any more, and then the process aborts (nodejs/node issue 65446). better-sqlite3 cleans up by itself and
// does not need this hook.
#include <node.h>

namespace node {
inline void NoHook(v8::Isolate*, void (*)(void*), void*) {}
}  // namespace node

#define AddEnvironmentCleanupHook NoHook
#define RemoveEnvironmentCleanupHook NoHook
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook

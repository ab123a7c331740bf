// Variables that decide which code loaders, the C library, shells and interpreters run, which configuration files they
// read and which certificates they trust. The sources are glibc's sysdeps/generic/unsecvars.h and sudo's
// plugins/sudoers/env.c (the tables initial_badenv_table and initial_checkenv_table). This list adds the variables of
// Node, the JVM and .NET, and those by which clients of Coffer and of SPIFFE choose their identity and their server. No
// such list is complete: any program may use other variables.

const PREFIXES = [
  "LD_",
  "_RLD",
  "DYLD_",
  "GLIBC_",
  "MALLOC_",
  "BASH",
  "PERL",
  "PYTHON",
  "RUBY",
  "CORECLR_",
  "GIT_CONFIG",
  "KRB5_",
  "COFFER_",
  "SPIFFE_",
] as const;

const NAMES = new Set([
  // The C library.
  ...["GCONV_PATH", "GETCONF_DIR", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "NIS_PATH", "NLSPATH", "PATH_LOCALE"],
  ...["RES_OPTIONS", "RESOLV_HOST_CONF", "TMPDIR", "TZDIR"],
  ...["TERMCAP", "TERMINFO", "TERMINFO_DIRS", "TERMPATH"],
  // Shells, and other programs that start programs.
  ...["PATH", "HOME", "SHELL", "IFS", "ENV", "CDPATH", "PS4", "SHELLOPTS", "GLOBIGNORE", "FPATH", "NULLCMD"],
  ...["READNULLCMD", "ZDOTDIR", "TMPPREFIX", "EDITOR", "VISUAL", "PAGER", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS"],
  ...["PROMPT_COMMAND", "PS0", "PS1", "PS2", "MAILPATH", "LESS", "LESSOPEN", "LESSCLOSE", "MANPAGER", "BROWSER"],
  ...["MAKEFLAGS", "MFLAGS", "MAKEFILES", "VIMINIT", "GVIMINIT", "EXINIT", "GIT_PROXY_COMMAND"],
  ...["GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_EDITOR", "SSH_ASKPASS"],
  // Interpreters.
  ...[
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "NODE_V8_COVERAGE",
    "BUN_OPTIONS",
    "GEM_PATH",
    "GEM_HOME",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
  ],
  ...["_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "LUA_INIT", "LUA_PATH", "LUA_CPATH", "PHPRC"],
  ...["PHP_INI_SCAN_DIR"],
  // Trusted certificates, and the proxies of connections.
  ...["NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES"],
  ...["SSL_CERT_DIR", "SSL_CERT_FILE", "SSLKEYLOGFILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"],
]);

/**
 * Why a secret must not set a variable of this name, as a sentence; undefined if it may. Without this check, a caller
 * that may write the secret could make every program that runs with the secret load a library (LD_PRELOAD), a script
 * (NODE_OPTIONS, BASH_ENV) or another program (PATH).
 */
export function obeyedProblem(name: string): string | undefined {
  const isObeyed = NAMES.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
  return isObeyed ? `${name} controls which code or certificates programs load` : undefined;
}

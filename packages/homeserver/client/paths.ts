/** Path of a v3 operation, with the older prefix that many clients still use. */
export function v3(path: string): { path: string; also: readonly string[] } {
  return { path: `/_matrix/client/v3${path}`, also: [`/_matrix/client/r0${path}`] }
}

/** Path of a v1 operation, with the unstable ones it had before. */
export function v1(path: string, ...unstable: readonly string[]): { path: string; also: readonly string[] } {
  return { path: `/_matrix/client/v1${path}`, also: unstable.map((old) => `/_matrix/client/unstable${old}`) }
}

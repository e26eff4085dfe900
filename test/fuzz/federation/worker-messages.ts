/** What a server process is started with. */
export interface WorkerStart {
  readonly folder: string
  readonly environment: Record<string, string>
  /** Name server of the test, as `127.0.0.1:port`. */
  readonly dns: string
  /** What stands in for port 443 of every host. */
  readonly wellKnownPort: number
}

/** What a process holds once all garbage is gone. */
export interface Measure {
  /** Heap and buffers. */
  readonly bytes: number
  /** Sockets, timers and requests under way. */
  readonly handles: number
}

export type WorkerReport =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'measured'; readonly measured: Measure }

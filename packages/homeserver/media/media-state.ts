import { createHash } from 'node:crypto'
import type { Signer } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { createKeyedQueue, type KeyedQueue } from '@causeway/store/cache/keyed-queue.ts'
import type { MemoryBudget } from '@causeway/store/cache/memory-budget.ts'
import { createSingleFlight, type SingleFlight } from '@causeway/store/cache/single-flight.ts'
import type { ThumbnailRow } from '@causeway/store/tables/media.ts'
import { createRemoteMediaState, type RemoteMediaState } from './remote/remote-media-state.ts'
import { createSlots, type Slots } from '@causeway/store/cache/slots.ts'

/** Those who wait for content that is still to come. */
export interface UploadWaiters {
  /** Resolves when the content has come, after `ms`, or when the signal is aborted. */
  wait(mediaId: string, ms: number, signal: AbortSignal): Promise<void>
  /** The content is there. */
  wake(mediaId: string): void
}

/** What the media of a running server share beside their rows and blobs. One a process. */
export interface MediaState {
  /** By hash: a blob gains its first reference, and loses its last one with its bytes, one after another. */
  readonly blobQueue: KeyedQueue<string>
  /** By uploader: uploads are counted against a quota one after another. */
  readonly uploaders: KeyedQueue<string>
  readonly waiters: UploadWaiters
  /** By blob and variant: a thumbnail that many ask for at once is made once. */
  readonly thumbnails: SingleFlight<string, ThumbnailRow>
  /** How many images are decoded at the same time. */
  readonly decoders: Slots
  /** Media of other servers. */
  readonly remote: RemoteMediaState
  /** Key of the signatures in public links. */
  readonly linkKey: Uint8Array
}

const MAX_DECODERS = 2
const MAX_WAITING_DECODERS = 200

/** @param signer the links' key is derived from its key, so that links outlive a restart */
export function createMediaState(
  signer: Signer,
  clock: Pick<Clock, 'setTimeout'>,
  budget: MemoryBudget,
): MediaState {
  return {
    blobQueue: createKeyedQueue(),
    uploaders: createKeyedQueue(),
    waiters: createUploadWaiters(clock),
    thumbnails: createSingleFlight(),
    decoders: createSlots(MAX_DECODERS, MAX_WAITING_DECODERS),
    remote: createRemoteMediaState(budget),
    // No event or key document is such a text, so that its signature can serve as a secret: it is never shown.
    linkKey: createHash('sha256').update(signer.sign('causeway: key of public media links')).digest(),
  }
}

function createUploadWaiters(clock: Pick<Clock, 'setTimeout'>): UploadWaiters {
  const waiting = new Map<string, Set<() => void>>()
  return {
    wait(mediaId, ms, signal) {
      if (signal.aborted || ms <= 0) return Promise.resolve()
      return new Promise((resolve) => {
        const others = waiting.get(mediaId) ?? new Set()
        waiting.set(mediaId, others)
        const end = (): void => {
          timer.cancel()
          signal.removeEventListener('abort', end)
          others.delete(end)
          if (others.size === 0) waiting.delete(mediaId)
          resolve()
        }
        const timer = clock.setTimeout(end, ms, { unref: true })
        signal.addEventListener('abort', end, { once: true })
        others.add(end)
      })
    },
    wake: (mediaId) => {
      for (const end of waiting.get(mediaId) ?? []) end()
    },
  }
}

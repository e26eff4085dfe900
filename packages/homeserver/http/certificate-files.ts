import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock, Timer } from '@causeway/store/clock/clock.ts'
import type { HomeserverConfig } from '../config.ts'
import type { Logger } from '../ops/log.ts'
import type { Certificate, Listeners } from './listen.ts'

/** Where a listener's certificate is. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** How often the files are looked at: whoever renews a certificate does so weeks before it ends. */
export const CHECK_EVERY_MS = 60_000

async function readPem(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`Cannot read ${file}, which a listener names for TLS`, { cause })
  })
}

/** @throws Error with a sentence for the operator: a file is missing, or they do not belong together */
export async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const certificate = { cert: await readPem(certFile), key: await readPem(keyFile) }
  try {
    createSecureContext(certificate)
  } catch (cause) {
    throw new Error(`${certFile} and ${keyFile} are no certificate with its key`, { cause })
  }
  return certificate
}

/** Looks after the certificates of running listeners. */
export interface CertificateWatch extends Disposable {
  /** Looks at the files now; answers how many listeners got a new certificate. */
  check(): Promise<number>
}

interface Watched extends CertificateFiles {
  readonly index: number
  /** What distinguishes these files from the ones before. */
  version: string
}

async function versionOf({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const parts = await Promise.all(
    [certFile, keyFile].map(async (file) => {
      const { mtimeMs, size, ino } = await stat(file)
      return `${mtimeMs} ${size} ${ino}`
    }),
  )
  return parts.join(' ')
}

function listWatched({ listeners }: Pick<HomeserverConfig, 'listeners'>): Watched[] {
  return listeners.flatMap(({ tls_cert: certFile, tls_key: keyFile }, index) =>
    certFile === undefined || keyFile === undefined ? [] : [{ index, certFile, keyFile, version: '' }],
  )
}

/**
 * Gives the listeners their certificates anew whenever the files have changed, so that a renewal needs no restart.
 * Files that do not belong together (one was written, the other is still to come) leave the old certificate in
 * place and are looked at again.
 */
export function watchCertificates(
  config: Pick<HomeserverConfig, 'listeners'>,
  listeners: Pick<Listeners, 'renewCertificate'>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): CertificateWatch {
  const watched = listWatched(config)
  let timer: Timer | undefined
  let stopped = false
  const renew = async (one: Watched): Promise<boolean> => {
    try {
      const version = await versionOf(one)
      if (version === one.version) return false
      const certificate = await readCertificate(one)
      if (stopped) return false
      listeners.renewCertificate(one.index, certificate)
      one.version = version
      return true
    } catch (error) {
      logger.error('the certificate of a listener cannot be renewed', { file: one.certFile, error })
      return false
    }
  }
  const check = async (): Promise<number> => {
    const renewed = (await Promise.all(watched.map(renew))).filter(Boolean).length
    if (renewed > 0) logger.info('certificates were read', { listeners: renewed })
    return renewed
  }
  const schedule = (): void => {
    if (stopped || watched.length === 0) return
    timer = clock.setTimeout(() => void check().finally(schedule), CHECK_EVERY_MS, { unref: true })
  }
  schedule()
  return {
    check,
    [Symbol.dispose]() {
      stopped = true
      timer?.cancel()
    },
  }
}

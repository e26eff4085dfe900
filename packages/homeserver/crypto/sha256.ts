import { hash } from 'node:crypto'
import type { Sha256 } from '@causeway/matrix/events/pdu.ts'

/** SHA-256 of text as UTF-8, unpadded base64url. */
export const sha256: Sha256 = (text) => hash('sha256', text, 'base64url')

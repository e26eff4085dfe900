import type { VerifySignature } from '@causeway/matrix/events/pdu.ts'

/** More than there are in a run. */
const MAX_REMEMBERED = 20_000

/**
 * Ed25519 that works out each signature once for all servers of a run: every one of them runs all its checks on every
 * event, but the same key, text and signature are answered alike each time.
 */
export function rememberSignatures(verify: VerifySignature): VerifySignature {
  const answers = new Map<string, boolean>()
  return (publicKey, text, signature) => {
    const question = `${publicKey} ${signature} ${text}`
    const known = answers.get(question)
    if (known !== undefined) return known
    const answer = verify(publicKey, text, signature)
    if (answers.size >= MAX_REMEMBERED) answers.clear()
    answers.set(question, answer)
    return answer
  }
}

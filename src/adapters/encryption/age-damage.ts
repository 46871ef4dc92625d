/** The bytes are not those of a whole age file of the key that was tried. The message completes "<file> cannot be decrypted: ". */
export class AgeDamage extends Error {}

/**
 * libc through FFM: the only package with method handles and raw addresses.
 */
@NullMarked
package dev.sluice.linux;

import org.jspecify.annotations.NullMarked;

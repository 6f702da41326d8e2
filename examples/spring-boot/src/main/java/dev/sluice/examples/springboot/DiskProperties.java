package dev.sluice.examples.springboot;

import java.nio.file.Path;
import org.springframework.boot.context.properties.ConfigurationProperties;

/**
 * What {@code application.properties} says about the disk.
 *
 * @param image a raw image
 * @param socket where the guest's front end connects
 */
@ConfigurationProperties("sluice.disk")
record DiskProperties(Path image, Path socket) {}

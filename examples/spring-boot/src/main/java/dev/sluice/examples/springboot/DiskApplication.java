package dev.sluice.examples.springboot;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;

/** The application. {@code sluice.disk.image} and {@code sluice.disk.socket} name the image and the socket. */
@SpringBootApplication
@EnableConfigurationProperties(DiskProperties.class)
public class DiskApplication {
    public static void main(String[] arguments) {
        SpringApplication.run(DiskApplication.class, arguments);
    }
}
